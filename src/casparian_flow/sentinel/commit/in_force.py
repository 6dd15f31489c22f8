"""The contracts in force by table, and by the base names that a file may ask for: a home may have thousands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from casparian_flow.core.contracts import Contract
from casparian_flow.sentinel.queue.lanes import bases_of


class InForce(Mapping[str, Contract]):
    """The contract of every table that has one; to change one costs the same however many there are."""

    def __init__(self, contracts: Iterable[Contract] = ()) -> None:
        self._of_table: dict[str, Contract] = {}
        self._of_base: defaultdict[str, dict[str, Contract]] = defaultdict(dict)
        for contract in contracts:
            self.put(contract)

    def __getitem__(self, table: str) -> Contract:
        return self._of_table[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of_table)

    def __len__(self) -> int:
        return len(self._of_table)

    def near(self, base: str) -> Mapping[str, Contract]:
        """Those of the table of that name and of every table named by it, `__` and more."""
        return self._of_base.get(base, {})

    def put(self, contract: Contract) -> None:
        """The contract of its table from now on."""
        self._of_table[contract.table] = contract
        for base in bases_of(contract.table):
            self._of_base[base][contract.table] = contract

    def take(self, table: str) -> Contract:
        """The contract of a table, which has none any more."""
        for base in bases_of(table):
            del self._of_base[base][table]
            if not self._of_base[base]:
                del self._of_base[base]
        return self._of_table.pop(table)
