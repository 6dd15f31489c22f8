"""Walks a query as DuckDB serialises it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree; a stack, since trees may nest deeper than Python recurses."""
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, dict):
            yield each
            stack.extend(each.values())
        elif isinstance(each, list):
            stack.extend(each)


def cte_names(node: dict[str, Any]) -> Iterator[str]:
    """The names that a node gives to queries of its own."""
    ctes = node.get("cte_map")
    if isinstance(ctes, dict):
        for entry in ctes.get("map", ()):
            yield str(entry["key"])
    if "cte_name" in node:
        yield str(node["cte_name"])
