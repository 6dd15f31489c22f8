"""Shows rows that were written under earlier contracts as the one in force says."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.lineage import LINEAGE_COLUMNS, RESCUED
from casparian_flow.schema.treat import accepted_schema
from casparian_flow.sentinel.console.limits import TableSource


def shown_under(source: TableSource, contract: Contract) -> TableSource:
    """The same rows with the columns of the contract: those that no row has yet are null, renamed ones are found.

    Columns that the contract has no more are not shown; those that tell where a row is from always are.
    """
    schema = pa.ipc.read_schema(pa.py_buffer(source.schema))
    declared = accepted_schema(contract)
    own = [field for field in declared if field.name != RESCUED]
    older = dict(_older(contract, schema))
    unread = [field for field in own if field.name not in schema.names and field.name not in older]
    beside = [name for name in (RESCUED, *LINEAGE_COLUMNS) if name in schema.names]
    return msgspec.structs.replace(
        source,
        columns=[*(field.name for field in own), *beside],
        older=older,
        schema=pa.schema([*schema, *unread]).serialize().to_pybytes(),
    )


def _older(contract: Contract, schema: pa.Schema) -> Iterator[tuple[str, list[str]]]:
    """The names under which rows hold a column, where these are not its present name alone."""
    taken = {column.name for column in contract.columns}
    for column in contract.columns:
        held = [name for name in column.aliases if name in schema.names and name not in taken]
        if held:
            yield column.name, [column.name, *held] if column.name in schema.names else held
