"""The columns of a table in a database: their names there, and the view that joins all contract versions.

Databases take `A` and `a` for one name, and a column cannot change its type without rewriting its rows. So a column
gets a name of its own for every type that it ever had, and the view takes whichever holds the row's value.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.errors import UsageError
from casparian_flow.core.lineage import JOB_ID
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.database_engine import Engine, quoted, quoted_relation
from casparian_flow.sinks.database_types import stored_type
from casparian_flow.sinks.read import joined_schema

ROWS_TABLES = {Role.ACCEPTED: "_cf_rows_", Role.QUARANTINE: "_cf_quarantine_rows_"}
_MOST_OF_A_NAME = 100
_ROW_NUMBERS = ("rowid", "oid", "_rowid_")
"""Names by which engines number rows; a column of that name would hide the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A column of one contract version: the field that readers find, and the column that holds its values."""

    version: int
    field: pa.Field
    physical: str


def rows_table(table: str, role: Role) -> str:
    """The table that holds all rows, current or not."""
    return ROWS_TABLES[role] + table


def placed(known: Sequence[StoredColumn], version: int, fields: Sequence[pa.Field]) -> list[StoredColumn]:
    """Where the columns of a new contract version are kept, beside those that are known."""
    homes = {(column.field.name, column.field.type): column.physical for column in known}
    taken = {*_ROW_NUMBERS, *(physical.casefold() for physical in homes.values())}
    wanted = [field for field in fields if (field.name, field.type) not in homes]
    for field in wanted:  # whoever can keep its name does, before others look for one
        name = _possible(field.name)
        if name.casefold() not in taken:
            homes[field.name, field.type] = name
            taken.add(name.casefold())
    for field in wanted:
        if (field.name, field.type) not in homes:
            name = _free(_possible(field.name), taken)
            homes[field.name, field.type] = name
            taken.add(name.casefold())
    return [StoredColumn(version=version, field=field, physical=homes[field.name, field.type]) for field in fields]


def schema_of(columns: Sequence[StoredColumn]) -> pa.Schema:
    """What readers find in rows of all these versions."""
    versions = sorted({column.version for column in columns})
    return joined_schema(
        [pa.schema([column.field for column in columns if column.version == version]) for version in versions]
    )


def homes_of(columns: Sequence[StoredColumn], name: str) -> list[StoredColumn]:
    """Where the values of a column are, one home per type that it had, the newest first."""
    homes: dict[str, StoredColumn] = {}
    for column in sorted(columns, key=lambda column: -column.version):
        if column.field.name == name:
            homes.setdefault(column.physical, column)
    return list(homes.values())


def new_table(engine: Engine, table: str, columns: Sequence[StoredColumn]) -> str:
    """The statement that creates the table of the rows."""
    declared = [engine.key_column] if engine.key_column else []
    declared += [_declared(engine, column) for column in columns]
    return f"CREATE TABLE {quoted(table)} ({', '.join(declared)})"


def new_columns(engine: Engine, table: str, columns: Iterable[StoredColumn]) -> list[str]:
    """The statements that add columns to it."""
    return [f"ALTER TABLE {quoted(table)} ADD COLUMN {_declared(engine, column)}" for column in columns]


def new_view(engine: Engine, table: str, role: Role, columns: Sequence[StoredColumn]) -> str:
    """The statement that creates the view of the current rows."""
    try:
        chosen = ", ".join(_shown(engine, columns, field) for field in schema_of(columns))
    except UsageError:  # a list or struct in one version is something else in another: each is shown as it is
        chosen = ", ".join(map(quoted, dict.fromkeys(column.physical for column in columns)))
    schema, _ = view = engine.view(table, role)
    place = "main." if schema else ""
    return (
        f"CREATE VIEW {quoted_relation(view)} AS SELECT {chosen} FROM {place}{quoted(rows_table(table, role))} "
        f"WHERE {quoted(JOB_ID)} IN (SELECT job_id FROM {place}_cf_current "
        f"WHERE table_name = '{table}' AND role = '{role}')"
    )


def _shown(engine: Engine, columns: Sequence[StoredColumn], field: pa.Field) -> str:
    homes = homes_of(columns, field.name)
    if len(homes) == 1:
        return quoted(homes[0].physical)
    stored = stored_type(field.type, engine.is_native)
    parts = []
    for home in homes:
        value = quoted(home.physical)
        if pt.is_boolean(home.field.type) and pt.is_string(field.type):
            value = f"CASE {value} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
        parts.append(value if home.field.type == field.type else engine.as_type(value, stored))
    first = next(column for column in columns if column.field.name == field.name)
    return f"coalesce({', '.join(parts)}) AS {quoted(first.physical)}"


def _declared(engine: Engine, column: StoredColumn) -> str:
    kind = engine.column_type(stored_type(column.field.type, engine.is_native))
    return f"{quoted(column.physical)} {kind}".rstrip()


def _possible(name: str) -> str:
    """A name that databases can hold, close to the given one."""
    return name.replace("\x00", "")[:_MOST_OF_A_NAME] or "column"


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}__{number}".casefold() in taken:
        number += 1
    return f"{name}__{number}"
