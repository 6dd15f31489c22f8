"""Which jobs have to come one after another, since their rows are compared with those that were committed before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from casparian_flow.core.contracts import Contract
from casparian_flow.core.tables import table_from_output
from casparian_flow.sentinel.planning.registered import Registered


def ordered_tables(contracts: Mapping[str, Contract]) -> frozenset[str]:
    """The tables with a rule whose answer depends on what was committed before."""
    return frozenset(table for table, contract in contracts.items() if any(rule.needs_order for rule in contract.rules))


def exclusive(ordered: frozenset[str], parser: Registered, base: str) -> frozenset[str]:
    """Of the ordered tables those that a file of the parser may land in; two jobs that share one never run at once."""
    if not ordered:
        return ordered
    if parser.manifest.tables == "file":
        return frozenset(table for table in ordered if base in bases_of(table))
    if parser.manifest.outputs:
        return ordered & {table_from_output(output) for output in parser.manifest.outputs}
    return ordered


def bases_of(table: str) -> list[str]:
    """The base names under which a table may have been asked for."""
    parts = table.split("__")
    return ["__".join(parts[:count]) for count in range(1, len(parts) + 1)]


def bases_of_all(tables: Iterable[str]) -> list[str]:
    """The base names under which any of these tables may have been asked for."""
    return sorted({base for table in tables for base in bases_of(table)})
