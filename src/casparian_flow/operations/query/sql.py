"""SQL over committed tables, their quarantine and the control tables, reading only."""

from __future__ import annotations

from typing import Any

from casparian_flow.operations.limits import RowCount, Seconds
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class AskSql(Request, frozen=True, kw_only=True):
    """A query. `as_of` is a snapshot, a job or a time: tables as they were then. `to` writes all rows to a file."""

    query: str
    as_of: str | None = None
    seconds: Seconds = 60.0
    max_rows: RowCount = 1_000_000
    to: str | None = None


class SqlColumn(Reply, frozen=True, kw_only=True):
    """One column of an answer; the type is the engine's."""

    name: str
    type: str


class SqlAnswer(Reply, frozen=True, kw_only=True):
    """The answer. Numbers, booleans and text are themselves, everything else is text; `is_cut`: there were more rows.

    With `written_to` the rows are in that file instead.
    """

    columns: list[SqlColumn]
    rows: list[list[Any]]
    count: int
    is_cut: bool
    written_to: str | None


class ListTables(Request, frozen=True, kw_only=True):
    """All tables, or one with its columns."""

    table: str | None = None


class TableEntry(Reply, frozen=True, kw_only=True):
    """One table: `kind` is output, quarantine or control."""

    table: str
    kind: str
    rows: int | None
    files: int | None
    sink: str | None


class TableColumn(Reply, frozen=True, kw_only=True):
    """One column of a table."""

    name: str
    type: str
    says: str


class TableList(Reply, frozen=True, kw_only=True):
    """Tables, or one table with its columns."""

    tables: list[TableEntry]
    fields: list[TableColumn]


OPERATIONS = (
    Operation(
        "sql",
        AskSql,
        SqlAnswer,
        Effect.READ,
        "query.sql.ask",
        "Query tables, quarantine and control tables.",
        writes=("to",),
    ),
    Operation("tables.list", ListTables, TableList, Effect.READ, "query.sql.tables", "What can be queried."),
)
