"""How what `operations.query.profile` names is done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.lineage import LINEAGE_COLUMNS
from casparian_flow.operations.context import Reading
from casparian_flow.operations.query.profile import ColumnProfile, ProfileTables, TableProfiles
from casparian_flow.schema.rendering import as_text
from casparian_flow.sentinel.console.guard import TableName
from casparian_flow.sentinel.console.limits import QueryLimits, TableSource
from casparian_flow.sentinel.console.session import run_query
from casparian_flow.sentinel.console.snapshot import QUARANTINE, Catalog
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.views import placements as view

MOST_EXACT = 100_000
"""Distinct values, by estimate, up to which they are counted one by one."""
TOP = 5
AT_ONCE = 50
"""Columns of one query: wide tables take several, so that none needs much memory."""
PER_COLUMN = 6
"""Values that `_counts` asks for."""
LONGEST = 200
"""Characters of a value that are shown."""


def profile(reading: Reading, request: ProfileTables) -> TableProfiles:
    """The profile of each column; raises NotFound, QueryFailed or QueryTimedOut."""
    names = [request.table.lower()] if request.table is not None else view.table_names(reading.connection)
    catalog = Catalog(reading.connection, cache(open_sink), reading.home.default_sink)
    limits = QueryLimits(seconds=request.seconds)
    found: list[ColumnProfile] = []
    for name in names:
        schema, _, table = name.rpartition(".")
        contract = None if schema == QUARANTINE else contract_store.in_force(reading.connection).get(table)
        types = {column.name: column.table_type for column in contract.columns} if contract else {}
        with tempfile.TemporaryDirectory(prefix="casparian-profile-") as folder:
            [source] = catalog.sources([TableName(schema, table)], Path(folder))
            found += _profile(name, source, types, limits)
    return TableProfiles(columns=found)


def _profile(name: str, source: TableSource, types: Mapping[str, str], limits: QueryLimits) -> Iterator[ColumnProfile]:
    place = ".".join(_quoted(part) for part in (source.schema_name, source.name) if part)
    ask = partial(run_query, tables=[source], limits=limits)
    schema = ask(f"FROM {place} LIMIT 0").table.schema
    fields = [field for field in schema if field.name not in LINEAGE_COLUMNS]
    for first in range(0, len(fields), AT_ONCE):
        some = fields[first : first + AT_ONCE]
        counts = ask(f"SELECT count(*), {', '.join(map(_counts, some))} FROM {place}").table  # noqa: S608
        rows, of_column = counts.column(0)[0].as_py(), _groups(counts.columns[1:], PER_COLUMN)
        is_exact = [group[1][0].as_py() <= MOST_EXACT for group in of_column]
        tops = [_top(field, place, is_exact=exact) for field, exact in zip(some, is_exact, strict=True)]
        commonest = ask(f"SELECT {', '.join(tops)}").table.columns
        for field, group, exact, top in zip(some, of_column, is_exact, commonest, strict=True):
            kind = types.get(field.name, str(field.type))
            yield _column(name, field.name, kind, rows, group, top, is_exact=exact)


def _counts(field: pa.Field) -> str:
    """The expressions that one pass over all rows answers, always as many."""
    column = _quoted(field.name)
    extremes = "NULL, NULL" if pt.is_nested(field.type) else f"min({column}), max({column})"
    is_text = pt.is_string(field.type) or pt.is_large_string(field.type)
    lengths = f"min(length({column})), max(length({column}))" if is_text else "NULL, NULL"
    return f"count({column}), approx_count_distinct({column}), {extremes}, {lengths}"


def _top(field: pa.Field, place: str, *, is_exact: bool) -> str:
    """How many distinct values there are, where they are counted, and the commonest with their counts."""
    column = _quoted(field.name)
    chosen = "" if is_exact else f"AND {column} IN (SELECT unnest(approx_top_k({column}, {TOP})) FROM {place})"  # noqa: S608
    return (
        f"(WITH g AS MATERIALIZED (SELECT {column} AS v, count(*) AS n FROM {place} "  # noqa: S608 - quoted
        f"WHERE {column} IS NOT NULL {chosen} GROUP BY {column}), "
        f"t AS MATERIALIZED (FROM g ORDER BY n DESC, v LIMIT {TOP}) "
        "SELECT {'all': (SELECT count(*) FROM g), 'v': (SELECT list(v ORDER BY n DESC, v) FROM t), "
        "'n': (SELECT list(n ORDER BY n DESC, v) FROM t)})"
    )


def _column(
    table: str,
    column: str,
    kind: str,
    rows: int,
    counts: Sequence[pa.ChunkedArray],
    top: pa.ChunkedArray,
    *,
    is_exact: bool,
) -> ColumnProfile:
    count, distinct, low, high, shortest, longest = counts
    counted, values, numbers = top.combine_chunks().flatten()
    return ColumnProfile(
        table=table,
        column=column,
        type=kind,
        rows=rows,
        count=count[0].as_py(),
        nulls=rows - count[0].as_py(),
        distinct=counted[0].as_py() if is_exact else distinct[0].as_py(),
        is_exact=is_exact,
        min=_shown(low.combine_chunks())[0],
        max=_shown(high.combine_chunks())[0],
        min_length=shortest[0].as_py(),
        max_length=longest[0].as_py(),
        top=[text for text in _shown(values.flatten()) if text is not None],
        top_counts=numbers[0].as_py() or [],
    )


def _shown(values: pa.Array) -> list[str | None]:
    if pt.is_null(values.type):
        return [None] * len(values)
    return [None if text is None else text[:LONGEST] for text in as_text(values).to_pylist()]


def _groups(columns: Sequence[pa.ChunkedArray], size: int) -> list[Sequence[pa.ChunkedArray]]:
    return [columns[at : at + size] for at in range(0, len(columns), size)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
