"""How what `operations.query.sql` names is done."""

from __future__ import annotations

import difflib
import sys
import tempfile
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.errors import NotFound
from casparian_flow.core.lineage import LINEAGE_COLUMNS, LINEAGE_SAYS, RESCUED
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.contract.contracts import note_with_file
from casparian_flow.operations.doing.query.moments import entries_at
from casparian_flow.operations.doing.query.row_files import RowFile, format_of, write_file
from casparian_flow.operations.query.sql import (
    AskSql,
    ListTables,
    SqlAnswer,
    SqlColumn,
    TableColumn,
    TableEntry,
    TableList,
)
from casparian_flow.schema.rejections import REJECTION_SCHEMA
from casparian_flow.schema.rendering import as_text
from casparian_flow.sentinel.console.dependency import complete_groupings
from casparian_flow.sentinel.console.guard import check_query
from casparian_flow.sentinel.console.limits import QueryLimits
from casparian_flow.sentinel.console.session import Answer, run_query
from casparian_flow.sentinel.console.snapshot import QUARANTINE, Catalog
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.published import COLUMNS_BY_ID, PUBLISHED
from casparian_flow.store.views import totals


def ask(reading: Reading, request: AskSql) -> SqlAnswer:
    """The answer to a query that only reads; raises QueryRefused, QueryFailed or QueryTimedOut."""
    answer = _answer(reading, request, QueryLimits(seconds=request.seconds, rows=request.max_rows))
    if request.to is not None:
        path = reading.cwd / request.to
        write_file(RowFile(path=path, format=format_of(path)), answer.table.to_reader())
    return SqlAnswer(
        columns=[SqlColumn(name=field.name, type=str(field.type)) for field in answer.table.schema],
        rows=[] if request.to is not None else rows_of(answer.table),
        count=answer.table.num_rows,
        is_cut=answer.is_cut,
        written_to=request.to,
    )


def arrow_of(reading: Reading, request: AskSql) -> pa.Table:
    """The same answer with the engine's own types, for an asker in this process: as many bytes as memory holds."""
    limits = QueryLimits(seconds=request.seconds, rows=request.max_rows, bytes=sys.maxsize)
    return _answer(reading, request, limits).table


def _answer(reading: Reading, request: AskSql, limits: QueryLimits) -> Answer:
    checked = check_query(request.query)
    as_of = None if request.as_of is None else entries_at(reading.connection, request.as_of, reading.now_ns)
    catalog = Catalog(reading.connection, cache(open_sink), reading.home.default_sink, as_of)
    with tempfile.TemporaryDirectory(prefix="casparian-sql-") as folder:
        sources = catalog.sources(checked.tables, Path(folder))
        return run_query(complete_groupings(checked.text, COLUMNS_BY_ID), sources, limits)


def rows_of(table: pa.Table) -> list[list[object]]:
    """Rows as plain values that JSON can hold."""
    columns = [_plain(column.combine_chunks()) for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _plain(column: pa.Array) -> list[object]:
    kind = column.type
    is_finite = not pa.types.is_floating(kind) or pc.all(pc.is_finite(pc.fill_null(column, 0.0))).as_py() is not False
    if is_finite and ((pa.types.is_primitive(kind) and not pa.types.is_temporal(kind)) or pa.types.is_string(kind)):
        values: list[object] = column.to_pylist()
        return values
    if pa.types.is_decimal(kind) and kind.scale == 0:  # sums of whole numbers
        return [None if value is None else int(value) for value in column.to_pylist()]
    return list(as_text(column).to_pylist())


def tables(reading: Reading, request: ListTables) -> TableList:
    """What can be queried; with a table, its columns too. Raises NotFound."""
    entries = [*_outputs(reading), *_control()]
    if request.table is None:
        return TableList(tables=entries, fields=[])
    name = request.table.lower()
    entry = next((entry for entry in entries if entry.table == name), None)
    if entry is None:
        close = difflib.get_close_matches(name, [each.table for each in entries], n=1)
        raise NotFound(
            f"there is no table {request.table}",
            why=f"did you mean {close[0]}?" if close else "",
            fix="casparian tables",
        )
    return TableList(tables=[entry], fields=_fields(reading, name))


def _outputs(reading: Reading) -> list[TableEntry]:
    in_force = contract_store.in_force(reading.connection)
    landed = totals.list_tables(reading.connection)
    found = [
        TableEntry(table=row["table"], kind="output", rows=int(row["rows"]), files=row["files"], sink=row["sink"])
        for row in landed
    ]
    empty = sorted(in_force.keys() - {row["table"] for row in landed})
    found += [TableEntry(table=table, kind="output", rows=0, files=0, sink=None) for table in empty]
    found += [
        TableEntry(
            table=f"{QUARANTINE}.{row['table']}",
            kind="quarantine",
            rows=int(row["quarantined"]),
            files=None,
            sink=row["sink"],
        )
        for row in landed
        if row["quarantined"]
    ]
    return found


def _control() -> list[TableEntry]:
    return [TableEntry(table=name, kind="control", rows=None, files=None, sink=None) for name in PUBLISHED]


def _fields(reading: Reading, name: str) -> list[TableColumn]:
    if (published := PUBLISHED.get(name)) is not None:
        return [TableColumn(name=each.name, type=str(each.type), says=each.says) for each in published.columns]
    schema, _, table = name.rpartition(".")
    contract = contract_store.in_force(reading.connection).get(table)
    if schema != QUARANTINE and contract is not None:
        says = {
            each.name: each.description or note_with_file(reading.connection, each) for each in contract.table_columns
        }
        own = [
            TableColumn(name=each.name, type=each.table_type, says=says[each.name]) for each in contract.table_columns
        ]
        return own + [TableColumn(name=each, type="", says=LINEAGE_SAYS[each]) for each in (RESCUED, *LINEAGE_COLUMNS)]
    return [TableColumn(name=each.name, type=str(each.type), says="") for each in REJECTION_SCHEMA]
