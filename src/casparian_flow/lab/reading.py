"""One whole file to tables as a run would land them, but without any home: contracts are what the parser declares."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import BUILT_IN
from casparian_flow.core.lineage import RESCUED, SOURCE_ROW
from casparian_flow.core.receipts import Receipt
from casparian_flow.lab.rehearsal import Rehearsed, Retained, rehearse
from casparian_flow.protocol.messages import Limits
from casparian_flow.schema.arrow import arrow_field
from casparian_flow.schema.verdict import ColumnVerdict
from casparian_flow.scout.hashing import Hashed
from casparian_flow.sentinel.planning.registered import Registered, declared_contracts, parser_order


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """What became of every row of a file. Tables are mapped from files that are gone already.

    `tables` and `rejected` carry `_cf_source_row`; a table whose contract is known is there even without a row.
    `verdicts` are those of each table whose contract was drafted from its rows.
    """

    contracts: Mapping[str, Contract]
    tables: Mapping[str, pa.Table]
    rejected: Mapping[str, pa.Table]
    verdicts: Mapping[str, Sequence[ColumnVerdict]]
    receipt: Receipt
    printed: Sequence[str]


def read_file(
    parser: Registered, path: Path, hashed: Hashed, table: str, options: dict[str, Any], limits: Limits
) -> FileRead:
    """Read the file as it was when it was hashed; `table` is the name that it asks for.

    Memory is bounded by the size of batches, not of the file: rows wait and end in a temporary folder that is gone when
    this returns. Raises what `rehearse` raises.
    """
    retained = Retained(
        path=os.fsencode(path),
        size=hashed.stamp.size,
        mtime_ns=hashed.stamp.mtime_ns,
        source_hash=hashed.source_hash,
        base_table=table,
    )
    found = rehearse(
        parser_order(parser, options),
        retained,
        declared_contracts(parser, table),
        BUILT_IN,
        (),
        Path(tempfile.gettempdir()),
        limits=limits,
    )
    return FileRead(
        contracts=found.contracts,
        tables={table: _accepted(contract, found) for table, contract in found.contracts.items()},
        rejected=found.rejected,
        verdicts=found.verdicts,
        receipt=found.receipt,
        printed=found.printed,
    )


def _accepted(contract: Contract, found: Rehearsed) -> pa.Table:
    """The contract's columns, what was rescued if anything was, and each row's place in the source."""
    rescued = any(count.rescued for count in found.receipt.counts if count.table == contract.table)
    table = found.accepted.get(contract.table)
    if table is None:
        fields = [arrow_field(column.name, column.type) for column in contract.columns]
        return pa.schema([*fields, pa.field(SOURCE_ROW, pa.int64(), nullable=False)]).empty_table()
    return table.select([*contract.names, *([RESCUED] if rescued else []), SOURCE_ROW])
