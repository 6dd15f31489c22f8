"""Which table the rows of an output belong to, and under which contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.tables import choose_table, table_from_output, table_of_file
from casparian_flow.protocol.messages import JobOrder, ParserOrder
from casparian_flow.sdk.emit import SCHEMA_HEADERLESS


@dataclass(frozen=True, slots=True)
class Place:
    """Where an output's rows go: a table with its contract, or a base name that waits for one."""

    table: str
    contract: Contract | None
    is_declared: bool = True
    is_waiting: bool = True
    """Whether rows without a contract are surveyed for one; false where all of them are rejected."""

    @property
    def waits(self) -> bool:
        """Whether rows wait here until a contract is found for them."""
        return self.is_waiting and self.contract is None


class Places:
    """Answers for one order where outputs go: each question once, since files of an order are mostly alike."""

    def __init__(self, parser: ParserOrder, contracts: Mapping[str, Contract]) -> None:
        self._parser = parser
        self._declared = frozenset(parser.declared)
        self._contracts = contracts
        self._shapes = {name: contract.shapes for name, contract in contracts.items()}
        self._older = {name: older for name, contract in contracts.items() if (older := contract.older_names)}
        self._known: dict[tuple[str, str, bool, tuple[str, ...]], Place] = {}

    def of(self, order: JobOrder, output: str, batch: pa.RecordBatch) -> Place:
        """The place of an output with the columns of this batch."""
        headerless = is_headerless(batch)
        key = (order.base_table, output, headerless, tuple(batch.schema.names))
        if key not in self._known:
            self._known[key] = self._place(order, output, batch.schema.names, headerless)
        return self._known[key]

    def of_nothing(self, order: JobOrder, output: str) -> Place:
        """The place of an output that never had a row: it goes by its bare name."""
        base = base_table(self._parser, order, output)
        return Place(base, self._contracts.get(base), is_waiting=False)

    def _place(self, order: JobOrder, output: str, columns: Sequence[str], headerless: bool) -> Place:
        base = base_table(self._parser, order, output)
        if self._declared and output not in self._declared:
            contract = self._contracts.get(base)
            if contract is None or self._parser.name not in contract.takes_undeclared:
                return Place(base, None, is_declared=False, is_waiting=False)
            return Place(base, contract)
        if self._parser.tables != "file":
            return Place(base, self._contracts.get(base))
        table = choose_table(base, columns, self._shapes, headerless=headerless, older=self._older)
        return Place(base, None) if table is None else Place(table, self._contracts[table])


def base_table(parser: ParserOrder, order: JobOrder, output: str) -> str:
    """The name that an output asks for: its own, or one made from the file's."""
    if parser.tables != "file":
        return table_from_output(output) or order.base_table
    return table_of_file(order.base_table, output)


def is_headerless(batch: pa.RecordBatch) -> bool:
    """Whether the parser made the column names up."""
    return SCHEMA_HEADERLESS in (batch.schema.metadata or {})


def under_contract(batch: pa.RecordBatch, contract: Contract) -> pa.RecordBatch:
    """The batch with the contract's names by position, if it has no header and the contract has names.

    The names are those of the newest version that has as many columns.
    """
    if not is_headerless(batch) or contract.headerless:
        return batch
    names = next((shape for shape in contract.shapes if len(shape) == batch.num_columns), None)
    return batch if names is None else batch.rename_columns(list(names))
