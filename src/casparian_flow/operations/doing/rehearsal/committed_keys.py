"""The keys that files are compared with which are read again one by one: those that tables have now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.lab.arrow_files import KeysOf
from casparian_flow.operations.context import Acting
from casparian_flow.store.views.affected import first_sink
from casparian_flow.worker.known_keys import KnownKeys, KnownTables


def committed_keys(acting: Acting, connection: Connection, contracts: Mapping[str, Contract], folder: Path) -> KeysOf:
    """For every table that a rule of these contracts compares rows with; what does not fit into memory is in `folder`.

    Any thread may ask.
    """
    rules = ((contract.table, rule) for contract in contracts.values() for rule in contract.rules)
    compared = {rule.table or table for table, rule in rules if rule.needs_order}
    found = {table: first_sink(connection, table) for table in compared}
    sinks = {table: acting.open_sink(uri) for table, uri in found.items() if uri is not None}
    known = KnownTables()

    def keys_of(
        table: str, names: Sequence[str], types: Sequence[str], without: Collection[int], _folder: Path
    ) -> KnownKeys | None:
        return known.keys(sinks[table], table, names, types, without, folder) if table in sinks else None

    return keys_of
