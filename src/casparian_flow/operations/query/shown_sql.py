"""Queries that a command shows for pasting: what a shell and DuckDB take as they stand."""

from __future__ import annotations

RESERVED = frozenset(
    """
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create
    default deferrable desc describe distinct do else end except false fetch for foreign from group having in
    initially intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer
    pivot_wider placing primary qualify references returning select show some summarize symmetric table then to
    trailing true union unique unpivot using variadic when where window with
    """.split()  # noqa: SIM905 as a list it would have a page of its own
)
"""Words of DuckDB that name a table only in quotes."""


def first_rows(table: str) -> str:
    """The command that shows the first rows of a table; a name as `order` is quoted."""
    return _query("SELECT *", table, "LIMIT 10")


def rescued_rows(table: str) -> str:
    """The command that shows which values were rescued beside the rows of a table."""
    return _query(
        "SELECT _cf_source_hash, _cf_source_row, _cf_rescued", table, "WHERE _cf_rescued IS NOT NULL LIMIT 10"
    )


def _query(what: str, table: str, which: str) -> str:
    """Shown, never run."""
    if table.isidentifier() and table not in RESERVED:
        return f'casparian sql "{what} FROM {table} {which}"'
    return f"casparian sql '{what} FROM \"{table}\" {which}'"
