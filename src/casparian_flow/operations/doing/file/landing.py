"""Where the rows of a file would land, as far as the home knows before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.contracts import Contract
from casparian_flow.core.tables import table_from_file_name, table_from_output
from casparian_flow.core.tags import rules_for
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import places
from casparian_flow.sentinel.planning.registered import Registered, declared_contracts
from casparian_flow.sentinel.queue.dispatch import relevant_contracts
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.tags import all_rules
from casparian_flow.store.views import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What is known of one file: the table that it asks for, and where its bytes landed before.

    `parser` is the one that read these bytes last, `tables` have their rows now.
    """

    base: str
    parser: str | None = None
    bases: frozenset[str] = frozenset()
    tables: tuple[str, ...] = ()

    def contracts(self, reading: Reading, parser: Registered) -> Mapping[str, Contract]:
        """The contracts by which rows of the file would be judged, read by this parser, and those they landed under."""
        in_force = contract_store.in_force(reading.connection)
        landed = {table: in_force[table] for table in self.tables if table in in_force}
        return declared_contracts(parser, self.base) | relevant_contracts(parser, self.bases, in_force) | landed


def landing_of(reading: Reading, path: Path) -> Landing:
    """What the home knows of a file at this path, also of one that no scan has found yet."""
    found = places(reading.connection, reading.cwd, str(path))
    rows = [
        row
        for row in files.find_files(reading.connection, found, str(path))
        if (row["source_id"], row["rel_path"]) in found
    ]
    row = max(rows, key=lambda each: each["job_id"] or 0, default=None)
    shown = path.name if row is None else str(row["path"])
    rules = rules_for(shown, all_rules(reading.connection), path.stat().st_size)
    topic = next((rule.topic for rule in rules if rule.topic), "")
    own = table_from_output(topic) or table_from_file_name(shown)
    if row is None:
        return Landing(base=own, bases=frozenset({own}))
    base = row["job_table"] or own
    return Landing(
        base=base,
        parser=row["parser"] if row["job_id"] is not None else None,
        bases=frozenset({own, base, table_from_file_name(shown)}),
        tables=tuple(files.tables_of(reading.connection, [row["source_hash"] or ""]).get(row["source_hash"] or "", ())),
    )
