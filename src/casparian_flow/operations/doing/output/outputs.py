"""How what `operations.output.outputs` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.outputs import Role
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.output.history import table_history
from casparian_flow.operations.doing.output.placement import sink_of
from casparian_flow.operations.output.outputs import (
    HowToRead,
    ListOutputs,
    OutputColumn,
    OutputDetail,
    OutputEntry,
    OutputList,
    ShowOutput,
)
from casparian_flow.sinks.recipes import place_of, recipes
from casparian_flow.sinks.uri import open_sink, parse_uri
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.views import placements as view

NEWEST = 5


def list_(reading: Reading, _request: ListOutputs) -> OutputList:
    """Every table that was ever committed to, in each sink that holds it."""
    return OutputList(
        outputs=[
            OutputEntry(
                table=row["table_name"],
                sink=row["sink_uri"],
                rows=int(row["rows"]),
                quarantined=int(row["quarantined"]),
                contract=row["contract"],
                files=row["files"],
                jobs=row["jobs"],
                snapshots=row["snapshots"],
                snapshot=row["snapshot"],
                last=rfc3339(row["last_ns"]),
                purged=int(row["purged"]),
            )
            for row in view.placements(reading.connection)
        ]
    )


def show(reading: Reading, request: ShowOutput) -> OutputDetail:
    """One table: its columns, where it lies, its newest commits, and how to read it elsewhere. Raises NotFound."""
    connection, table = reading.connection, request.table
    uri = sink_of(connection, reading.home, reading.cwd, table, request.sink)
    parsed = parse_uri(uri)
    contract = contract_store.in_force(connection).get(table)
    types = {column.name: column.table_type for column in contract.columns} if contract else {}
    outputs = list_(reading, ListOutputs()).outputs
    history = table_history(connection, uri, table)
    columns: list[OutputColumn] = []
    lines: list[HowToRead] = []
    size: int | None = None
    trouble = None
    try:
        sink = open_sink(uri)
        snapshot = sink.snapshot(table, Role.ACCEPTED)
        lines = [HowToRead(tool=each.tool, text=each.text) for each in recipes(parsed, table, snapshot)]
        if snapshot.seq:
            columns = [
                OutputColumn(
                    name=field.name, type=str(field.type), contract=types.get(field.name), nullable=field.nullable
                )
                for field in sink.read(table, Role.ACCEPTED).schema
            ]
        size = history.size
    except CasparianError as exc:
        trouble = ": ".join(filter(None, (exc.message, exc.why)))
    return OutputDetail(
        output=next(each for each in outputs if (each.table, each.sink) == (table, uri)),
        origin=contract.origin if contract else None,
        place=str(place_of(parsed, table)),
        size=size,
        columns=columns,
        newest=history.entries[:NEWEST],
        read=lines,
        trouble=trouble,
    )
