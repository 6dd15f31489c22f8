"""Rows as CSV: quoted text, bare numbers, nothing between the commas for null."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.types as pt

from casparian_flow.schema.rendering import as_text

FORMULA = r"^[=+\-@\t\r]"
"""How a cell begins that a spreadsheet takes for a formula."""
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
"""Such a cell only shows a number, whatever it begins with."""


def write_csv(file: BinaryIO, reader: pa.RecordBatchReader, *, is_safe: bool = False) -> None:
    """A header and one line per row. With `is_safe` no cell is a formula to a spreadsheet: it gets an apostrophe."""
    names = pa.array(reader.schema.names, pa.string())
    names = _guarded(names) if is_safe else names
    schema = pa.schema(
        [
            pa.field(name, field.type if _is_bare(field.type) else pa.string())
            for name, field in zip(names.to_pylist(), reader.schema, strict=True)
        ]
    )
    with pa_csv.CSVWriter(file, schema) as writer:
        for batch in reader:
            columns = [_cells(column, is_safe=is_safe) for column in batch.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _is_bare(kind: pa.DataType) -> bool:
    """Whether the values are written without quotes; none of them can be a formula."""
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind))


def _cells(column: pa.Array, *, is_safe: bool) -> pa.Array:
    if _is_bare(column.type):
        return column
    texts = _readable_bytes(column) if pt.is_binary(column.type) else as_text(_decoded(column))
    return _guarded(texts) if is_safe and not pt.is_temporal(column.type) else texts


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if pt.is_dictionary(column.type) else column


def _readable_bytes(column: pa.Array) -> pa.Array:
    """Bytes as the text they are; what is none is escaped."""
    texts = [None if value is None else value.decode("utf-8", "backslashreplace") for value in column.to_pylist()]
    return pa.array(texts, pa.string())


def _guarded(texts: pa.Array) -> pa.Array:
    """The texts, with an apostrophe before each one that a spreadsheet would calculate."""
    is_formula = pc.and_not(pc.match_substring_regex(texts, FORMULA), pc.match_substring_regex(texts, NUMBER))
    if not pc.any(is_formula).as_py():
        return texts
    return pc.if_else(is_formula, pc.binary_join_element_wise("'", texts, ""), texts)
