"""Loads the delimited parser as a guest does, and gathers what it yields."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from casparian_flow.sdk import Rejected, Rows, Verdict

FOLDER = Path(__file__).resolve().parents[1] / "src/casparian_flow/parsers/generic/delimited"
if str(FOLDER) not in sys.path:
    sys.path.insert(0, str(FOLDER))

from delimited_file import read_file  # noqa: E402
from delimited_ledger import Ledger  # noqa: E402


class RecordingLedger(Ledger):
    """A ledger that keeps every span."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[int, int, str]] = []

    def mark(self, what: str, start: int, end: int) -> None:
        super().mark(what, start, end)
        if end > start:
            self.spans.append((start, end, what))


@dataclass
class LoadedTable:
    names: list[str]
    headerless: bool
    rows: list[list[str | None]] = field(default_factory=list)
    places: list[tuple[int, int, int]] = field(default_factory=list)


@dataclass
class Outcome:
    tables: dict[str, LoadedTable] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    spans: list[tuple[int, int, str]] = field(default_factory=list)

    def verdict(self, name: str) -> Verdict:
        return next(verdict for verdict in self.verdicts if verdict.name == name)

    @property
    def rows(self) -> list[list[str | None]]:
        return self.tables[""].rows if "" in self.tables else []

    @property
    def names(self) -> list[str]:
        return self.tables[""].names


def read_delimited(path: Path, *, vectorised: bool = True, **options: Any) -> Outcome:
    """Everything the parser says about a file."""
    ledger = RecordingLedger()
    outcome = Outcome(spans=ledger.spans)
    for item in read_file(path, options, vectorised=vectorised, ledger=ledger):
        if isinstance(item, Rows):
            schema = item.data.schema
            headerless = b"cf.headerless" in (schema.metadata or {})
            table = outcome.tables.setdefault(item.output, LoadedTable(schema.names, headerless))
            columns = [column.to_pylist() for column in item.data.columns]
            table.rows.extend(list(row) for row in zip(*columns, strict=True))
            places = (item.source_row.tolist(), item.start.tolist(), item.end.tolist())
            table.places.extend(zip(*places, strict=True))
        elif isinstance(item, Rejected):
            outcome.rejected.append(item)
        else:
            outcome.verdicts.append(item)
    return outcome
