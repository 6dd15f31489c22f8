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


def place_of(
    parser: ParserOrder,
    order: JobOrder,
    output: str,
    columns: Sequence[str],
    headerless: bool,
    contracts: Mapping[str, Contract],
) -> Place:
    """The place of an output with these columns."""
    if parser.declared and output not in parser.declared:
        return Place(table_from_output(output) or order.base_table, None, is_declared=False, is_waiting=False)
    base = base_table(parser, order, output)
    if parser.tables != "file":
        return Place(base, contracts.get(base))
    known = {name: contract.names for name, contract in contracts.items()}
    table = choose_table(base, columns, known, headerless=headerless)
    return Place(base, None) if table is None else Place(table, contracts[table])


def base_table(parser: ParserOrder, order: JobOrder, output: str) -> str:
    """The name that an output asks for: its own, or one made from the file's."""
    if parser.tables != "file":
        return table_from_output(output) or order.base_table
    return table_of_file(order.base_table, output)


def is_headerless(batch: pa.RecordBatch) -> bool:
    """Whether the parser made the column names up."""
    return SCHEMA_HEADERLESS in (batch.schema.metadata or {})


def under_contract(batch: pa.RecordBatch, contract: Contract) -> pa.RecordBatch:
    """The batch with the contract's names by position, if it has no header and the contract has names."""
    if is_headerless(batch) and not contract.headerless and batch.num_columns == len(contract.columns):
        return batch.rename_columns(list(contract.names))
    return batch
