"""Which of a table's jobs have what a change of its contract is about."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, bindparam, func, select

from casparian_flow.core.drift import Axis
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import drift, jobs, materializations, quarantine, versions

CURRENT = (
    select(materializations.c.job_id, func.max(versions.c.size).label("size"))
    .join(jobs, jobs.c.id == materializations.c.job_id)
    .join(versions, versions.c.id == jobs.c.version_id)
    .where(materializations.c.table_name == bindparam("of_table"), materializations.c.is_current.is_(True))
    .group_by(materializations.c.job_id)
    .order_by(materializations.c.job_id)
)
_of_table = (
    select(materializations.c.job_id)
    .where(materializations.c.table_name == bindparam("of_table"), materializations.c.is_current.is_(True))
    .scalar_subquery()
)
DRIFTED = (
    select(drift.c.job_id)
    .distinct()
    .where(
        drift.c.table_name == bindparam("of_table"), drift.c.axis == bindparam("on_axis"), drift.c.job_id.in_(_of_table)
    )
)
DRIFTED_IN = DRIFTED.where(drift.c.column_name == bindparam("of_column"))
DRIFTED_BY = DRIFTED.where(drift.c.detail == bindparam("of_rule"))
SAID = (
    select(drift.c.job_id, drift.c.column_name, drift.c.detail, drift.c.rows, drift.c.samples, jobs.c.source_hash)
    .join(jobs, jobs.c.id == drift.c.job_id)
    .where(
        drift.c.table_name == bindparam("of_table"), drift.c.axis == bindparam("on_axis"), drift.c.job_id.in_(_of_table)
    )
    .order_by(drift.c.job_id, drift.c.ordinal)
)
REJECTED_IN = (
    select(quarantine.c.job_id)
    .distinct()
    .where(
        quarantine.c.table_name == bindparam("of_table"),
        quarantine.c.column_name == bindparam("of_column"),
        quarantine.c.is_current.is_(True),
    )
)
MOVED = (
    select(materializations.c.job_id)
    .distinct()
    .where(
        materializations.c.table_name == bindparam("of_table"),
        materializations.c.is_current.is_(True),
        materializations.c.modes != bindparam("none"),
    )
)

FIRST_SINK = select(func.min(materializations.c.sink_uri)).where(
    materializations.c.table_name == bindparam("of_table"), materializations.c.is_current.is_(True)
)

SINKS = (
    select(materializations.c.table_name, materializations.c.sink_uri)
    .distinct()
    .where(materializations.c.is_current.is_(True))
)
OF_EACH_PARSER = (
    select(func.max(materializations.c.job_id))
    .where(materializations.c.table_name == bindparam("of_table"), materializations.c.is_current.is_(True))
    .group_by(materializations.c.parser_name)
)
MODES = (
    select(materializations.c.sink_mode)
    .where(materializations.c.table_name == bindparam("of_table"), materializations.c.is_current.is_(True))
    .distinct()
)


def sinks_of_tables(connection: Connection) -> dict[str, set[str]]:
    """The sinks that have rows of each table now."""
    found: dict[str, set[str]] = {}
    for row in connection.execute(SINKS):
        found.setdefault(row.table_name, set()).add(row.sink_uri)
    return found


def modes_of(connection: Connection, table: str) -> set[str]:
    """How the rows that a table has now were written to its sinks."""
    return {row.sink_mode for row in connection.execute(MODES, {"of_table": table})}


def first_sink(connection: Connection, table: str) -> str | None:
    """One of the sinks that have the table's rows, always the same one; None if it has none now."""
    found = connection.execute(FIRST_SINK, {"of_table": table}).scalar()
    return None if found is None else str(found)


def current_jobs(connection: Connection, table: str) -> dict[int, int]:
    """The jobs whose rows a table has now, with the size of what each read."""
    return {row.job_id: row.size for row in connection.execute(CURRENT, {"of_table": table})}


def one_of_each_parser(connection: Connection, table: str) -> set[int]:
    """The newest of the jobs whose rows a table has now, for each parser that brought any."""
    return set(connection.execute(OF_EACH_PARSER, {"of_table": table}).scalars())


def drifted(connection: Connection, table: str, axis: Axis, column: str | None = None) -> Iterator[int]:
    """Those that differed from the contract on an axis, in one column or in any."""
    if column is None:
        rows = connection.execute(DRIFTED, {"of_table": table, "on_axis": axis})
    else:
        rows = connection.execute(DRIFTED_IN, {"of_table": table, "on_axis": axis, "of_column": column})
    return (row.job_id for row in rows)


def said(connection: Connection, table: str, axis: Axis) -> Iterator[AnyRow]:
    """Everything that the jobs whose rows a table has now said of an axis, with the hash of what each read."""
    yield from connection.execute(SAID, {"of_table": table, "on_axis": axis})


def against_rule(connection: Connection, table: str, rule: str) -> Iterator[int]:
    """Those that have a row which a rule refused."""
    values = {"of_table": table, "on_axis": Axis.RULE, "of_rule": rule}
    return (row.job_id for row in connection.execute(DRIFTED_BY, values))


def rejected_in(connection: Connection, table: str, column: str) -> Iterator[int]:
    """Those that have rows in quarantine because of a column."""
    return (row.job_id for row in connection.execute(REJECTED_IN, {"of_table": table, "of_column": column}))


def judged_by_modes(connection: Connection, table: str) -> Iterator[int]:
    """Those whose rows would be others under other drift modes."""
    return (row.job_id for row in connection.execute(MOVED, {"of_table": table, "none": ""}))
