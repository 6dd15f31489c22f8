"""Which Arrow types travel between guest and host, and how the others become one of them."""

from __future__ import annotations

from collections import deque

import pyarrow as pa
from pyarrow import types

from casparian_flow.guest.problems import BadYield

_PLAIN = (
    types.is_null,
    types.is_boolean,
    types.is_integer,
    types.is_floating,
    types.is_decimal,
    types.is_temporal,
    types.is_string,
    types.is_large_string,
    types.is_binary,
    types.is_large_binary,
    types.is_fixed_size_binary,
)


_RECENT: deque[tuple[pa.Schema, pa.Schema]] = deque(maxlen=8)
"""Schemas seen lately that need no cast, and what travels in their place: most files of a parser share a few."""


def is_plain(kind: pa.DataType) -> bool:
    """Whether a column of this type may travel: no dictionaries, views, unions, run-ends or extensions."""
    if isinstance(kind, pa.BaseExtensionType) or types.is_interval(kind):
        return False
    if types.is_nested(kind):
        listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
        if not (listed or types.is_struct(kind) or types.is_map(kind)):
            return False
        return all(is_plain(kind.field(at).type) for at in range(kind.num_fields))
    return any(test(kind) for test in _PLAIN)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that travels in place of this one; raises BadYield if there is none."""
    if is_plain(kind):
        return kind
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if types.is_string_view(kind):
        return pa.large_string()
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_list(kind):
        return pa.list_(_plain_field(kind.value_field))
    if types.is_large_list(kind):
        return pa.large_list(_plain_field(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain_field(kind.value_field), kind.list_size)
    if types.is_struct(kind):
        return pa.struct([_plain_field(kind.field(at)) for at in range(kind.num_fields)])
    raise BadYield(f"columns of Arrow type {kind} cannot be sent; cast them first")


def _plain_field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, plain_type(field.type), field.nullable)


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in types that travel, keeping only the metadata that the sdk defines."""
    given = batch.schema
    for known, plain in _RECENT:
        if known.equals(given, check_metadata=True):
            return batch if plain is known else pa.RecordBatch.from_arrays(batch.columns, schema=plain)
    if not len(given):
        return batch
    fields = [pa.field(field.name, plain_type(field.type), metadata=_known(field.metadata)) for field in given]
    plain = pa.schema(fields, metadata=_known(given.metadata))
    if plain.types == given.types:
        _RECENT.append((given, given if plain.equals(given, check_metadata=True) else plain))
        return pa.RecordBatch.from_arrays(batch.columns, schema=plain)
    columns = [_cast(field.name, column, field.type) for field, column in zip(fields, batch.columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=plain)


def _known(metadata: dict[bytes, bytes] | None) -> dict[bytes, bytes] | None:
    kept = {key: value for key, value in (metadata or {}).items() if key.startswith(b"cf.")}
    return kept or None


def _cast(name: str, column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    if isinstance(column, pa.ExtensionArray):
        return _cast(name, column.storage, kind)
    if isinstance(column, pa.RunEndEncodedArray):
        import pyarrow.compute as pc  # noqa: PLC0415 - 70 ms that hardly any parser needs

        return _cast(name, pc.run_end_decode(column), kind)
    if isinstance(column, pa.DictionaryArray):
        return _cast(name, column.dictionary, kind).take(column.indices)
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise BadYield(f"column {name!r} of Arrow type {column.type} cannot be sent as {kind}: {exc}") from exc
