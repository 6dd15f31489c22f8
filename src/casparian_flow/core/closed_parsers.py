"""Which parsers may come upon values that must not be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from casparian_flow.core.contracts import Contract, Origin
from casparian_flow.core.tables import table_from_output


def meets_closed_values(parser: str, tables: str, outputs: Iterable[str], contracts: Mapping[str, Contract]) -> bool:
    """Whether a parser may, by the contracts of the tables that its files may belong to.

    `tables` and `outputs` are what its manifest says. A parser that declares no tables names them while it reads: any
    of the contracts may be that of one, but for those that other parsers declare. One that declares some may bring
    others, too, where a contract takes them.
    """
    if tables == "file":
        return any(contract.is_closed for contract in contracts.values())
    named = {table_from_output(output) for output in outputs}
    if not named:
        return any(each.is_closed and each.origin is not Origin.DECLARED for each in contracts.values())
    its = (each for table, each in contracts.items() if table in named or parser in each.takes_undeclared)
    return any(each.is_closed for each in its)
