"""Values that a person put right, set into the rows of a batch before they are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.quarantine import Code
from casparian_flow.core.repairs import REPAIRED
from casparian_flow.core.types import parse_type
from casparian_flow.schema.arrow import normalise
from casparian_flow.schema.cells import Ints, Mask, as_mask
from casparian_flow.schema.rejections import ColumnFault
from casparian_flow.schema.rendering import as_text
from casparian_flow.schema.rescue import Rescue
from casparian_flow.sdk.emit import FIELD_ENCODING

Repairs = Mapping[int, Mapping[str, str | None]]
"""What rows of one table of one file are to hold instead, by their place in the source: columns to texts."""
_JSON_STRING = '"'
_FROM_STRINGS = frozenset({"string", "date", "time", "timestamp", "timestamp_tz", "binary"})


@dataclass(slots=True)
class Kept:
    """What goes with a repaired batch: the values that the file had, and the rows whose repair could not be set."""

    rescues: list[Rescue] = field(default_factory=list)
    faults: list[ColumnFault] = field(default_factory=list)


def repaired(
    batch: pa.RecordBatch, rows: pa.Array, repairs: Repairs, contract: Contract
) -> tuple[pa.RecordBatch, Kept]:
    """The batch with the repaired values, and for each of them what the file had there: nothing is written over.

    A value that its column cannot hold is not set, and is a fault of its row: nobody is to think that it was.
    """
    places = np.asarray(rows, dtype=np.int64)
    at = np.flatnonzero(np.isin(places, np.fromiter(repairs, np.int64, len(repairs))))
    kept = Kept()
    if not len(at):
        return batch, kept
    batch = normalise(batch)
    for column in contract.columns:
        chosen = [row for row in at.tolist() if column.name in repairs[int(places[row])]]
        if chosen:
            texts = pa.array([repairs[int(places[row])][column.name] for row in chosen], pa.string())
            batch = _repaired_column(batch, contract, column, np.array(chosen, np.int64), texts, kept)
    return batch, kept


def written_out(
    rejected: pa.RecordBatch, rows: pa.Array, repairs: Repairs, contract: Contract
) -> tuple[pa.RecordBatch, Kept]:
    """Rows in place of records that could not be read: as a person wrote them out; the bytes are kept beside them."""
    wanted = [repairs[row] for row in np.asarray(rows, dtype=np.int64).tolist()]
    columns = [pa.array([each.get(name) for each in wanted], pa.string()) for name in contract.names]
    raw = [None if data is None else data.decode("utf-8", "backslashreplace") for data in rejected["raw"].to_pylist()]
    texts = pc.coalesce(pa.array(raw, pa.string()), rejected["message"])
    batch = pa.RecordBatch.from_arrays(columns, names=list(contract.names))
    return batch, Kept([Rescue("", texts, REPAIRED)])


def is_repaired(rows: pa.Array, repairs: Repairs) -> pa.Array:
    """Which rows have a repair."""
    return pa.array(np.isin(np.asarray(rows, dtype=np.int64), np.fromiter(repairs, np.int64, len(repairs))))


def _repaired_column(
    batch: pa.RecordBatch, contract: Contract, column: ContractColumn, at: Ints, texts: pa.Array, kept: Kept
) -> pa.RecordBatch:
    place = _place(batch, contract, column)
    if place is None:
        if contract.headerless:
            kept.faults.append(_fault(column, "a row as long as that", batch.num_rows, at, texts))
            return batch
        values = pa.nulls(batch.num_rows, pa.string())
        kept.rescues.append(Rescue(column.name, _set(values, at, pa.repeat(pa.scalar(""), len(at))), REPAIRED))
        return batch.append_column(column.name, _set(values, at, texts))
    its_field, source = batch.schema.field(place), batch.column(place)
    tagged = (its_field.metadata or {}).get(FIELD_ENCODING) == b"json"
    values, is_one = _values(source.type, column, texts, tagged=tagged)
    if not is_one.all():
        cannot = pa.array(~is_one)
        kept.faults.append(_fault(column, str(source.type), batch.num_rows, at[~is_one], texts.filter(cannot)))
        at = at[is_one]
    if not len(at):
        return batch
    old = pc.fill_null(as_text(source.take(pa.array(at)), tagged=tagged), "")
    kept.rescues.append(Rescue(column.name, _set(pa.nulls(batch.num_rows, pa.string()), at, old), REPAIRED))
    return batch.set_column(place, its_field.with_nullable(True), _set(source, at, values))


def _fault(column: ContractColumn, expected: str, rows: int, at: Ints, texts: pa.Array) -> ColumnFault:
    failed = np.zeros(rows, np.bool_)
    failed[at] = True
    return ColumnFault(Code.REPAIR, column.name, expected, texts, failed)


def _place(batch: pa.RecordBatch, contract: Contract, column: ContractColumn) -> int | None:
    if contract.headerless:
        at = contract.names.index(column.name)
        return at if at < batch.num_columns else None
    names = batch.schema.names
    return next((names.index(name) for name in (column.name, *column.aliases) if name in names), None)


def _values(kind: pa.DataType, column: ContractColumn, texts: pa.Array, *, tagged: bool) -> tuple[pa.Array, Mask]:
    """The texts as cells of a batch's column, those of them that can be; and which can."""
    every = np.ones(len(texts), np.bool_)
    if tagged and parse_type(column.type).name in _FROM_STRINGS:
        return pc.binary_join_element_wise(pa.scalar(_JSON_STRING), texts, ""), every
    if (values := _cast(texts, kind)) is not None:
        return values, every
    distinct = texts.unique()
    fit = distinct.filter(pa.array([_cast(distinct.slice(at, 1), kind) is not None for at in range(len(distinct))]))
    is_one = as_mask(pc.is_in(texts, fit))
    return texts.filter(pa.array(is_one)).cast(kind), is_one


def _cast(texts: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """The texts as values of this type; None if not all of them can be."""
    try:
        return texts.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _set(values: pa.Array, at: Ints, new: pa.Array) -> pa.Array:
    """The values with new ones at some places."""
    mask = np.zeros(len(values), np.bool_)
    mask[at] = True
    return pc.replace_with_mask(values, pa.array(mask), new)
