"""What a query may be: one statement that only reads, over published tables and a few harmless table functions.

DuckDB types a statement that copies into a file inside a CTE as SELECT, so its own statement types are no guard. The
parsed tree is: every query node must be of a kind known to read, and every table function must be listed here. Two
statements cannot be serialised: EXPLAIN is checked by what it explains, PIVOT word by word. Behind this guard stand
the locked configuration, the file-size limit and the memory and time limits of the process that runs the query.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import duckdb

from casparian_flow.core.errors import QueryRefused
from casparian_flow.sentinel.console.tree import cte_names, nodes

READING_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "repeat", "json_each", "json_tree"})
WRITING_WORDS = re.compile(
    r"\b(alter|analyze|attach|call|checkpoint|comment|connect|copy|create|deallocate|delete|detach|drop|execute|export|"
    r"import|insert|install|load|merge|pragma|prepare|query|query_table|read_\w+|parquet_\w+|glob|sniff_csv|"
    r"replace\s+into|reset|set|truncate|update|use|vacuum|write_\w+)\b",
    re.IGNORECASE,
)
MAX_QUERY = 100_000


@dataclass(frozen=True, slots=True)
class TableName:
    """A table as a query names it; `schema` is empty where it gives none."""

    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class CheckedQuery:
    """A query that passed, with the tables that it names."""

    text: str
    tables: frozenset[TableName]


def check_query(text: str) -> CheckedQuery:
    """The query, if it is one that only reads. Raises QueryRefused, saying what is wrong."""
    text = text.strip().rstrip(";").strip()
    if not text:
        raise QueryRefused("the query is empty")
    if len(text) > MAX_QUERY:
        raise QueryRefused(f"the query is longer than {MAX_QUERY} characters")
    explained = re.match(r"explain\s+(analyze\s+)?", text, re.IGNORECASE)
    body = text[explained.end() :] if explained else text
    connection = duckdb.connect(config={"enable_external_access": "false", "autoinstall_known_extensions": "false"})
    try:
        return CheckedQuery(text, _check_body(connection, body))
    finally:
        connection.close()


def _check_body(connection: duckdb.DuckDBPyConnection, body: str) -> frozenset[TableName]:
    row = connection.execute("SELECT json_serialize_sql(?)", [body]).fetchone()
    assert row is not None
    try:
        tree = json.loads(row[0])
    except RecursionError as exc:
        raise QueryRefused("the query nests too deeply", fix="write a long sum or condition as a list") from exc
    if not tree.get("error"):
        return _check_tree(tree)
    if re.match(r"(with\b.*?)?(pivot|unpivot)\b|from\b|select\b", body, re.IGNORECASE | re.DOTALL) and re.search(
        r"\b(un)?pivot\b", body, re.IGNORECASE
    ):
        return _check_words(connection, body)
    message = str(tree.get("error_message", ""))
    if "Only SELECT" in message:
        raise QueryRefused(
            "only queries that read are answered here", why=body.split(None, 1)[0].upper() + " is not one"
        )
    raise QueryRefused("the query cannot be parsed", why=message.splitlines()[0])


def _check_tree(tree: dict[str, Any]) -> frozenset[TableName]:
    if len(tree["statements"]) != 1:
        raise QueryRefused("one statement at a time", why=f"there are {len(tree['statements'])}")
    tables: set[TableName] = set()
    own: set[str] = set()
    for node in nodes(tree):
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in READING_NODES:
            raise QueryRefused("only queries that read are answered here", why=f"it holds a {kind.lower()}")
        if kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise QueryRefused(f"the table function {name} is not allowed here", why="it could reach other files")
        if kind == "BASE_TABLE":
            tables.add(TableName(str(node.get("schema_name", "")), str(node["table_name"])))
        own.update(cte_names(node))
    return frozenset(table for table in tables if table.schema or table.name not in own)


def _check_words(connection: duckdb.DuckDBPyConnection, body: str) -> frozenset[TableName]:
    bare = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "''", body)
    if found := WRITING_WORDS.search(bare):
        raise QueryRefused("this word is not allowed beside PIVOT", why=found[0])
    if ";" in bare:
        raise QueryRefused("one statement at a time")
    names = re.findall(
        r"\b(?:from|join|pivot|unpivot|pivot_wider|pivot_longer)\s+((?:\"[^\"]+\"|\w+)(?:\.(?:\"[^\"]+\"|\w+))?)",
        body,
        re.IGNORECASE,
    )
    parts = [[part.strip('"') for part in name.split(".", 1)] for name in names]
    return frozenset(TableName("", part[0]) if len(part) == 1 else TableName(part[0], part[1]) for part in parts)
