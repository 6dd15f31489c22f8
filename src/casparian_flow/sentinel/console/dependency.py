"""Grouping by a key groups by all that depends on it, as SQL has allowed since 1999 and DuckDB does not.

`SELECT v.id, v.content_hash, count(*) … GROUP BY v.id` is answered elsewhere, since one `id` has one `content_hash`.
Here the grouping gains the other columns of each table whose key it holds; the groups stay the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from casparian_flow.sentinel.console.tree import cte_names, nodes

KEY = "id"


def complete_groupings(text: str, columns: Mapping[str, Sequence[str]]) -> str:
    """The query with every grouping completed; the very same text where there is nothing to complete.

    `columns` are the columns of the tables in which `id` is unique, by the table's name in lower case.
    """
    with duckdb.connect() as connection:
        tree = json.loads(_one(connection, "SELECT json_serialize_sql(?)", text))
        if tree.get("error"):
            return text
        own = {name.lower() for node in nodes(tree) for name in cte_names(node)}
        known = {table: names for table, names in columns.items() if table not in own}
        selects = [node for node in nodes(tree) if node.get("type") == "SELECT_NODE"]
        if sum(_complete(select, known) for select in selects) == 0:
            return text
        return str(_one(connection, "SELECT json_deserialize_sql(?)", json.dumps(tree)))


def _complete(select: dict[str, Any], columns: Mapping[str, Sequence[str]]) -> int:
    """Add what depends on the keys of one grouping; how many columns those are."""
    grouped, sets = select["group_expressions"], select["group_sets"]
    if len(sets) != 1:  # with several sets a column would depend on its key in some of them only
        return 0
    tables = dict(_tables(select["from_table"]))
    dependent = [
        _column(name, column)
        for name in [_alias_of(expression, list(tables)) for expression in grouped]
        if name is not None
        for column in columns.get(tables.get(name, ""), ())
        if column != KEY
    ]
    sets[0].extend(range(len(grouped), len(grouped) + len(dependent)))
    grouped.extend(dependent)
    return len(dependent)


def _tables(source: Any) -> Iterator[tuple[str, str]]:
    """The tables of a FROM clause with the names by which its columns are called; not those inside subqueries."""
    if not isinstance(source, dict):
        return
    if source.get("type") == "JOIN":
        yield from _tables(source["left"])
        yield from _tables(source["right"])
    elif source.get("type") == "BASE_TABLE" and source.get("schema_name") in ("", "main"):
        table = str(source["table_name"]).lower()
        yield str(source["alias"] or table).lower(), table


def _alias_of(expression: dict[str, Any], tables: Sequence[str]) -> str | None:
    """The table whose key is grouped by; None where the expression is no key."""
    names = [str(name).lower() for name in expression.get("column_names", ())]
    if expression.get("type") != "COLUMN_REF" or not names or names[-1] != KEY:
        return None
    if len(names) == 1:
        return tables[0] if len(tables) == 1 else None
    return names[0] if len(names) == 2 else None


def _column(table: str, column: str) -> dict[str, Any]:
    return {
        "class": "COLUMN_REF",
        "type": "COLUMN_REF",
        "alias": "",
        "query_location": 0,
        "query_location_length": 0,
        "column_names": [table, column],
    }


def _one(connection: duckdb.DuckDBPyConnection, statement: str, value: str) -> Any:
    row = connection.execute(statement, [value]).fetchone()
    assert row is not None
    return row[0]
