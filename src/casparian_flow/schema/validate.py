"""Each batch split by its table's contract into rows that fit and rejections that say why the others do not."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import UsageError
from casparian_flow.core.quarantine import Code
from casparian_flow.core.receipts import DriftNote
from casparian_flow.core.types import parse_type
from casparian_flow.schema.arrow import arrow_schema, normalise
from casparian_flow.schema.cast import cast_column
from casparian_flow.schema.cells import Mask, as_mask
from casparian_flow.schema.layouts import layouts
from casparian_flow.schema.rejections import REJECTION_SCHEMA, ColumnFault, rejections_of_rows
from casparian_flow.schema.rendering import as_text
from casparian_flow.schema.rescue import RESCUED_FIELD, rescue
from casparian_flow.sdk.emit import FIELD_ENCODING

_NOTHING_REJECTED = pa.RecordBatch.from_arrays(
    [pa.nulls(0, field.type) for field in REJECTION_SCHEMA], schema=REJECTION_SCHEMA
)
_TEMPORAL = frozenset({"date", "time", "timestamp", "timestamp_tz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """One batch after its contract. Every row is in `accepted` or in `rejected`; `rescued` counts values."""

    accepted: pa.RecordBatch
    accepted_row: pa.Array
    rejected: pa.RecordBatch
    rejected_row: pa.Array
    rescued: int


class Validator:
    """Validates the batches of one job against one contract and keeps count of the drift it meets."""

    def __init__(self, contract: Contract) -> None:
        """Raises UsageError if the contract names a type or a format that cannot be read."""
        for column in contract.columns:
            kind = parse_type(column.type)
            if kind.name in _TEMPORAL:
                layouts(kind.name, column.format)
            elif column.format is not None:
                raise UsageError(f"column {column.name!r} is {column.type}, which takes no format")
        self.contract = contract
        self.schema = pa.schema([*(field.with_nullable(True) for field in arrow_schema(contract)), RESCUED_FIELD])
        self._drift: dict[tuple[str, str, str], int] = {}

    def afresh(self) -> Validator:
        """The same contract for other rows, whose drift is counted by itself."""
        other = copy(self)
        other._drift = {}
        return other

    def validate(
        self,
        batch: pa.RecordBatch,
        source_row: pa.Array,
        start: pa.Array | None = None,
        end: pa.Array | None = None,
    ) -> Validated:
        """Split a batch. `accepted` has `schema`; nothing is changed on the way but types and the order of columns.

        Columns match by name; those of a table without headers by their place. Columns beyond the contract are rescued,
        missing ones are null where the contract allows it.
        """
        batch = normalise(batch)
        names = self._names(batch)
        place = {name: at for at, name in enumerate(names)}
        columns, faults = [], []
        for column in self.contract.columns:
            values, found = self._column(batch, place.get(column.name), column)
            columns.append(values)
            faults += found
        rescued = self._rescued(batch, names)
        columns.append(rescued)
        accepted = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if not faults:
            values_rescued = len(rescued.values) if rescued.null_count < len(rescued) else 0
            return Validated(
                accepted=accepted,
                accepted_row=source_row,
                rejected=_NOTHING_REJECTED,
                rejected_row=source_row.slice(0, 0),
                rescued=values_rescued,
            )
        rejected, rows = rejections_of_rows(batch, faults, contract_version=self.contract.version, start=start, end=end)
        keep = np.ones(batch.num_rows, np.bool_)
        keep[rows] = False
        kept = pa.array(keep)
        accepted = accepted.filter(kept)
        return Validated(
            accepted=accepted,
            accepted_row=source_row.filter(kept),
            rejected=rejected,
            rejected_row=source_row.take(pa.array(rows)),
            rescued=len(accepted.column(len(self.contract.columns)).flatten()),
        )

    def drift(self) -> list[DriftNote]:
        """How all batches so far differ from the contract, with the rows concerned, in a fixed order."""
        return [
            DriftNote(table=self.contract.table, axis=axis, column=column, detail=detail, rows=rows)
            for (axis, column, detail), rows in sorted(self._drift.items())
        ]

    def _note(self, axis: str, column: str, detail: str, rows: int) -> None:
        if rows:
            key = (axis, column, detail)
            self._drift[key] = self._drift.get(key, 0) + rows

    def _names(self, batch: pa.RecordBatch) -> list[str]:
        """The contract's name for each column of the batch, or the batch's own."""
        if not self.contract.headerless:
            return list(batch.schema.names)
        expected = self.contract.names
        return [*expected[: batch.num_columns], *(f"column_{at + 1}" for at in range(len(expected), batch.num_columns))]

    def _column(
        self, batch: pa.RecordBatch, at: int | None, column: ContractColumn
    ) -> tuple[pa.Array, list[ColumnFault]]:
        rows = batch.num_rows
        if at is None:
            self._note("missing_column", column.name, f"expected {column.type}", rows)
            missing = pa.nulls(rows, self.schema.field(column.name).type)
            if column.nullable or not rows:
                return missing, []
            everything = np.ones(rows, np.bool_)
            return missing, [ColumnFault(Code.MISSING_COLUMN, column.name, column.type, None, everything)]
        source = batch.column(at)
        tagged = _is_tagged(batch.schema.field(at))
        values, failed = cast_column(source, column, tagged=tagged)
        faults = []
        if failed is not None:
            code = f"{Code.CAST}.{parse_type(column.type).name}"
            expected = f"{column.type} {column.format}" if column.format else column.type
            self._note("type", column.name, f"expected {expected}", int(failed.sum()))
            faults.append(ColumnFault(code, column.name, expected, _observed(source, failed, tagged=tagged), failed))
        if not column.nullable and source.null_count:
            empty: Mask = as_mask(source.is_null())
            self._note("nullability", column.name, f"expected {column.type}, never null", int(empty.sum()))
            faults.append(ColumnFault(Code.NULL, column.name, f"{column.type}, never null", None, empty))
        return values, faults

    def _rescued(self, batch: pa.RecordBatch, names: list[str]) -> pa.Array:
        known = set(self.contract.names)
        extra = [(name, batch.column(at), batch.schema.field(at)) for at, name in enumerate(names) if name not in known]
        for name, column, field in extra:
            self._note("new_column", name, str(field.type), len(column) - column.null_count)
        return rescue([(name, column, _is_tagged(field)) for name, column, field in extra], batch.num_rows)


def _observed(source: pa.Array, failed: Mask, *, tagged: bool) -> pa.Array:
    return as_text(source.filter(pa.array(failed)), tagged=tagged)


def _is_tagged(field: pa.Field) -> bool:
    return bool((field.metadata or {}).get(FIELD_ENCODING) == b"json")
