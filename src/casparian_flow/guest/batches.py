"""Whatever a parser may yield as data, as Arrow record batches in types that travel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from casparian_flow.guest.plain import plain_batch, plain_type
from casparian_flow.guest.problems import BadYield
from casparian_flow.guest.values import typed_column

ACCEPTED = "an Arrow table or batch, a pandas or polars frame, a list of dicts or a dict of lists"


def to_batches(data: Any) -> Iterator[pa.RecordBatch]:
    """The data as batches; at least one, if need be without rows, as long as there are columns.

    Frames are recognised by what they can do, so neither pandas nor polars is imported here.
    """
    try:
        for batch in _raw_batches(data):
            yield plain_batch(batch)
    except pa.ArrowException as exc:
        raise BadYield(f"a {type(data).__name__} could not be read as Arrow data: {exc}") from exc


def is_row_list(data: Any) -> bool:
    """Whether the data is a list of dicts (or an empty list)."""
    return isinstance(data, (list, tuple)) and all(isinstance(row, Mapping) for row in data)


def rows_to_batch(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """One batch of dicts: columns in the order of their first appearance, absent keys null."""
    names = dict.fromkeys(key for row in rows for key in row)
    return columns_to_batch({name: [row.get(name) for row in rows] for name in names})


def columns_to_batch(columns: Mapping[str, Any]) -> pa.RecordBatch:
    """One batch of named sequences of equal length."""
    made = [_column(name, values) for name, values in columns.items()]
    lengths = {field.name: len(column) for field, column in made}
    if len(set(lengths.values())) > 1:
        raise BadYield(f"the columns are not equally long: {lengths}")
    return pa.RecordBatch.from_arrays([column for _, column in made], schema=pa.schema([field for field, _ in made]))


def _raw_batches(data: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(data, pa.RecordBatch):
        yield data
    elif _is_pandas(data):
        yield _pandas_batch(data)
    elif hasattr(data, "__arrow_c_stream__"):
        reader = pa.RecordBatchReader.from_stream(data)
        batch = None
        for batch in reader:
            yield batch
        if batch is None:
            yield _empty_batch(reader.schema)
    elif isinstance(data, Mapping):
        yield columns_to_batch(data)
    else:
        raise BadYield(f"cannot send a {type(data).__name__}; yield {ACCEPTED}")


def _empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    fields = [pa.field(field.name, plain_type(field.type), metadata=field.metadata) for field in schema]
    schema = pa.schema(fields, metadata=schema.metadata)
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in fields], schema=schema)


def _is_pandas(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc") and hasattr(data, "columns")


def _pandas_batch(frame: Any) -> pa.RecordBatch:
    """A pandas frame; a named index is data and becomes columns, an unnamed one is dropped."""
    if not pa.lib._pandas_api.have_pandas:
        raise BadYield('pandas came in by a back door; name it in the manifest: requires=["pandas"]')
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    made = [_pandas_column(str(name), frame.iloc[:, at]) for at, name in enumerate(frame.columns)]
    return pa.RecordBatch.from_arrays([column for _, column in made], schema=pa.schema([field for field, _ in made]))


def _pandas_column(name: str, series: Any) -> tuple[pa.Field, pa.Array]:
    if series.dtype == object:  # any Python value may be inside
        missing = series.isna().tolist()
        return typed_column(name, [None if gone else v for gone, v in zip(missing, series.tolist(), strict=True)])
    return _as_field(name, pa.array(series, from_pandas=True))


def _column(name: Any, values: Any) -> tuple[pa.Field, pa.Array]:
    if not isinstance(name, str):
        raise BadYield(f"column names are text, not {type(name).__name__}: {name!r}")
    if isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__len__"):
        raise BadYield(f"column {name!r} is a single {type(values).__name__}; a dict must hold lists of values")
    if isinstance(values, (list, tuple)):
        return typed_column(name, values)
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return _as_field(name, values)
    if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__") or hasattr(values, "__array__"):
        return _as_field(name, pa.array(values))
    return typed_column(name, list(values))


def _as_field(name: str, column: Any) -> tuple[pa.Field, pa.Array]:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(column, pa.ChunkedArray):  # too long for 32-bit offsets
        raise BadYield(f"column {name!r} holds more than 2 GiB of text; yield smaller pieces")
    return pa.field(name, column.type), column
