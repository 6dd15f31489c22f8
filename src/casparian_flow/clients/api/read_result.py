"""What reading one file gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from casparian_flow.clients.api.quarantine import Quarantine
from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.core.text import safe_text

NAMED = 10
"""Tables that a message names."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadResult:
    """The tables of one file, the rows that did not fit, and what was found out on the way.

    Every row that the parser brought is in one of `tables` or in `quarantine`: `emitted == accepted + quarantined`.
    Tables are mapped from files that are deleted already: their rows take memory only while they are used, and the disk
    is free again when nothing refers to them any more.
    """

    path: Path
    source_hash: str
    """Digest of the bytes that were read; of a database with those of its journal."""
    parser: str
    """The parser's name, version and digest."""
    tables: Mapping[str, pa.Table]
    """The accepted rows by table, in source order, under the names and types of `contracts`.

    A table has the further column `_cf_rescued` if it holds values that a declared contract has no column for.
    """
    quarantine: Quarantine
    contracts: Mapping[str, Contract]
    """The types of each table, with each column's original header and a note about what stayed open."""
    reasons: Mapping[str, Mapping[str, Sequence[str]]]
    """By table and column: which value ruled out each type that the column does not have."""
    verdicts: Sequence[VerdictNote]
    """What the parser detected, such as encoding, delimiter and header: name, value, confidence and runner-up."""
    printed: Sequence[str]
    """Lines that the parser wrote."""
    emitted: int
    accepted: int

    @property
    def quarantined(self) -> int:
        """How many rows did not fit."""
        return len(self.quarantine)

    @property
    def table(self) -> pa.Table:
        """The only table; raises UsageError, naming them, if there are several, and NotFound if there is none."""
        if len(self.tables) == 1:
            return next(iter(self.tables.values()))
        if not self.tables:
            why = f"all {self.quarantined} rows are in its quarantine" if self.quarantine else "the file holds no rows"
            raise NotFound(f"there is no table in {safe_text(self.path.name)}", why=why)
        names = ", ".join(sorted(self.tables)[:NAMED])
        raise UsageError(
            f"there are {len(self.tables)} tables in {safe_text(self.path.name)}",
            why=names if len(self.tables) <= NAMED else f"{names}, …",
            fix=f"result.tables[{sorted(self.tables)[0]!r}]",
        )

    def __repr__(self) -> str:
        shapes = [
            f"{name}: {table.num_rows:,} rows, {table.num_columns} columns" for name, table in self.tables.items()
        ]
        more = [f"… and {len(shapes) - NAMED} more tables"] if len(shapes) > NAMED else []
        head = f"{safe_text(self.path.name)} read by {safe_text(self.parser)}, {self.quarantined:,} rows in quarantine"
        return "\n  ".join([head, *shapes[:NAMED], *more])
