"""Rejected rows as a table: what did not fit, why, what the row held and where it stands in the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.quarantine import Level, record_shape
from casparian_flow.schema.arrow import normalise
from casparian_flow.schema.cells import Ints, Mask
from casparian_flow.schema.rendering import as_text
from casparian_flow.sdk.emit import FIELD_ENCODING, Rejected

LONGEST_RAW = 64 << 10
"""At most this many raw bytes are copied; `start` and `end` are exact all the same."""
LONGEST_OBSERVED = 200
LONGEST_SHAPE = 40

ERROR = pa.struct(
    [("code", pa.string()), ("column", pa.string()), ("expected", pa.string()), ("observed", pa.string())]
)
REJECTION_SCHEMA = pa.schema(
    [
        ("level", pa.string()),
        ("code", pa.string()),
        ("column", pa.string()),
        ("message", pa.string()),
        ("errors", pa.list_(ERROR)),
        ("values", pa.string()),
        ("raw", pa.binary()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("locator", pa.string()),
        ("shape", pa.string()),
        ("contract_version", pa.int32()),
    ]
)


@dataclass(frozen=True, slots=True)
class ColumnFault:
    """Rows of one batch that fail for one reason in one column.

    `observed` is the text of the failing values, one for each row that `failed` names; None where there is none.
    """

    code: str
    column: str
    expected: str
    observed: pa.Array | None
    failed: Mask


def value_shape(texts: pa.Array) -> pa.Array:
    """The form of each text: every digit `9`, every run of letters `A`, of blanks one blank, the rest as it is.

    `12,034` is `99,999`; shapes are cut at 40 characters.
    """
    shapes = pc.replace_substring_regex(texts, r"[0-9]", "9")
    shapes = pc.replace_substring_regex(shapes, r"\pL+", "A")
    shapes = pc.replace_substring_regex(shapes, r"\s+", " ")
    return pc.utf8_slice_codeunits(shapes, 0, LONGEST_SHAPE)


def rejections_of_rows(
    batch: pa.RecordBatch,
    faults: Sequence[ColumnFault],
    *,
    contract_version: int,
    start: pa.Array | None = None,
    end: pa.Array | None = None,
) -> tuple[pa.RecordBatch, Ints]:
    """One rejection per row of `batch` that any fault names, with all its errors in the order given; and those rows."""
    failed = np.logical_or.reduce([fault.failed for fault in faults])
    rows = np.flatnonzero(failed)
    picked = pa.array(rows)
    errors = _errors(faults, rows)
    first = pc.list_element(errors, 0)
    columns, expected, observed = (pc.struct_field(first, name) for name in ("column", "expected", "observed"))
    codes = pc.struct_field(first, "code")
    rejected = _assemble(
        len(rows),
        level=pa.array([str(Level.FIELD)] * len(rows)),
        code=codes,
        column=columns,
        message=message_texts(columns, expected, observed, pc.list_value_length(errors)),
        errors=errors,
        values=_values(batch.take(picked)),
        start=_taken(start, picked),
        end=_taken(end, picked),
        shape=value_shape(pc.fill_null(observed, "")),
        contract_version=pa.array([contract_version] * len(rows), pa.int32()),
    )
    return rejected, rows


def reject_all(
    batch: pa.RecordBatch,
    code: str,
    message: str,
    *,
    contract_version: int = 0,
    start: pa.Array | None = None,
    end: pa.Array | None = None,
) -> pa.RecordBatch:
    """Every row rejected for a reason that is no column's, such as an undeclared output; values are kept."""
    batch = normalise(batch)
    count = batch.num_rows
    return _assemble(
        count,
        level=pa.array([str(Level.RECORD)] * count, pa.string()),
        code=pa.array([code] * count, pa.string()),
        column=pa.array([""] * count, pa.string()),
        message=pa.array([message] * count, pa.string()),
        errors=_single_errors([code] * count, [message] * count),
        values=_values(batch),
        start=start,
        end=end,
        shape=pa.array([""] * count, pa.string()),
        contract_version=pa.array([contract_version] * count, pa.int32()),
    )


def rejections_of_records(records: Sequence[Rejected], *, contract_version: int = 0) -> pa.RecordBatch:
    """What the parser itself could not read. Raw bytes beyond the limit are not copied."""
    codes, messages = [record.code for record in records], [record.message for record in records]
    return _assemble(
        len(records),
        level=pa.array([str(Level.RECORD)] * len(records), pa.string()),
        code=pa.array(codes, pa.string()),
        column=pa.array([""] * len(records), pa.string()),
        message=pa.array(messages, pa.string()),
        errors=_single_errors(codes, [_preview(record) for record in records]),
        raw=pa.array([None if record.raw is None else record.raw[:LONGEST_RAW] for record in records], pa.binary()),
        start=pa.array([record.start for record in records], pa.int64()),
        end=pa.array([record.end for record in records], pa.int64()),
        locator=pa.array([record.locator for record in records], pa.string()),
        shape=pa.array(list(map(record_shape, messages)), pa.string()),
        contract_version=pa.array([contract_version] * len(records), pa.int32()),
    )


def _preview(record: Rejected) -> str:
    """The beginning of what was there, or what is said about it."""
    return record.message if record.raw is None else record.raw[:LONGEST_OBSERVED].decode("utf-8", "backslashreplace")


def _assemble(count: int, **columns: pa.Array | None) -> pa.RecordBatch:
    """A batch of rejections; columns that are not given are null."""
    given: Mapping[str, pa.Array | None] = columns
    arrays = []
    for field in REJECTION_SCHEMA:
        column = given.get(field.name)
        arrays.append(pa.nulls(count, field.type) if column is None else column)
    return pa.RecordBatch.from_arrays(arrays, schema=REJECTION_SCHEMA)


def _taken(array: pa.Array | None, rows: pa.Array) -> pa.Array | None:
    return None if array is None else array.take(rows)


def _errors(faults: Sequence[ColumnFault], rows: Ints) -> pa.Array:
    """The list of errors of each failing row."""
    owners: list[Ints] = []
    parts: list[pa.Array] = []
    for fault in faults:
        at = np.flatnonzero(fault.failed)
        count = len(at)
        if fault.observed is None:
            observed = pa.nulls(count, pa.string())
        else:
            observed = pc.utf8_slice_codeunits(fault.observed, 0, LONGEST_OBSERVED)
        constants = [
            pa.repeat(pa.scalar(text, pa.string()), count) for text in (fault.code, fault.column, fault.expected)
        ]
        parts.append(pa.StructArray.from_arrays([*constants, observed], fields=list(ERROR)))
        owners.append(at)
    row_of = np.concatenate(owners)
    order = np.argsort(row_of, kind="stable")
    flat = pa.concat_arrays(parts).take(pa.array(order))
    offsets = np.searchsorted(row_of[order], np.append(rows, np.iinfo(np.int64).max)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flat, type=REJECTION_SCHEMA.field("errors").type)


def _single_errors(codes: Sequence[str], observed: Sequence[str]) -> pa.Array:
    rows = [
        [{"code": code, "column": None, "expected": None, "observed": text[:LONGEST_OBSERVED]}]
        for code, text in zip(codes, observed, strict=True)
    ]
    return pa.array(rows, REJECTION_SCHEMA.field("errors").type)


def message_texts(columns: pa.Array, expected: pa.Array, observed: pa.Array, counts: pa.Array) -> pa.Array:
    """What is said of each row, from its first error: `bytes: expected int64, found '12,034' (and 2 more)`."""
    found = pc.binary_join_element_wise("'", observed, "'", "")
    found = pc.fill_null(found, "nothing")
    more = pc.binary_join_element_wise(" (and ", pc.subtract(counts, 1).cast(pa.string()), " more)", "")
    tail = pc.if_else(pc.greater(counts, 1), more, "")
    return pc.binary_join_element_wise(columns, ": expected ", expected, ", found ", found, tail, "")


def _values(batch: pa.RecordBatch) -> pa.Array:
    """Each row's values as they came, as a JSON object of texts by column."""
    texts = [
        as_text(column, tagged=(field.metadata or {}).get(FIELD_ENCODING) == b"json").to_pylist()
        for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    names = batch.schema.names
    encode = msgspec.json.Encoder().encode
    if not texts:
        return pa.array(["{}"] * batch.num_rows, pa.string())
    return pa.array([encode(dict(zip(names, row, strict=True))) for row in zip(*texts, strict=True)], pa.binary()).cast(
        pa.string()
    )
