"""The contract language as Arrow types, and what parsers send brought into that language."""

from __future__ import annotations

from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import ParserFailed
from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.sdk.emit import FIELD_TYPE

JSON = b"json"
MAX_DECIMAL = 38
_SIMPLE: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("ns"),
    "timestamp": pa.timestamp("ns"),
    "duration": pa.duration("ns"),
    "string": pa.string(),
    "binary": pa.binary(),
    "json": pa.string(),
}
_NAMES = {str(kind): name for name, kind in _SIMPLE.items() if name != "json"}


def arrow_type(type_name: str) -> pa.DataType:
    """The Arrow type that holds a contract type; `json` is held as its text."""
    return _build(parse_type(type_name))


def _build(kind: ColumnType) -> pa.DataType:
    match kind.name:
        case "decimal":
            return pa.decimal128(*kind.args)
        case "timestamp_tz":
            return pa.timestamp("ns", tz=str(kind.args[0]))
        case "list":
            return pa.list_(_build(kind.fields[0][1]))
        case "struct":
            return pa.struct([(name, _build(part)) for name, part in kind.fields])
        case _:
            return _SIMPLE[kind.name]


def type_name(kind: pa.DataType) -> str:
    """The contract type for an Arrow type, the widest of its kind; raises ParserFailed if there is none.

    uint64 is answered as `int64`: whether its values fit is for `normalise` to see.
    """
    target = _target(kind)
    if name := _NAMES.get(str(target)):
        return name
    if pt.is_decimal(target):
        return f"decimal({target.precision},{target.scale})"
    if pt.is_timestamp(target):
        return f"timestamp_tz({target.tz})"
    if pt.is_list(target):
        return f"list<{type_name(target.value_type)}>"
    fields = ", ".join(f"{target[at].name}: {type_name(target[at].type)}" for at in range(target.num_fields))
    return f"struct<{fields}>"


def _target(kind: pa.DataType) -> pa.DataType:  # noqa: PLR0911 - one line per family of Arrow types
    if isinstance(kind, pa.BaseExtensionType):
        return _target(kind.storage_type)
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return _target(kind.value_type)
    if pt.is_null(kind) or pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return pa.string()
    if pt.is_boolean(kind):
        return pa.bool_()
    if pt.is_integer(kind):
        return pa.int64()
    if pt.is_floating(kind):
        return pa.float64()
    if pt.is_decimal(kind):
        scale = max(kind.scale, 0)
        precision = kind.precision + scale - kind.scale
        return pa.decimal128(precision, scale) if precision <= MAX_DECIMAL else pa.string()
    if pt.is_date(kind):
        return pa.date32()
    if pt.is_time(kind):
        return pa.time64("ns")
    if pt.is_timestamp(kind):
        return pa.timestamp("ns", tz=kind.tz)
    if pt.is_duration(kind):
        return pa.duration("ns")
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind) or pt.is_fixed_size_binary(kind):
        return pa.binary()
    if pt.is_map(kind):
        return pa.list_(pa.struct([("key", _target(kind.key_type)), ("value", _target(kind.item_type))]))
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind) or _is_list_view(kind):
        return pa.list_(_target(kind.value_type))
    if pt.is_struct(kind):
        return pa.struct([(kind[at].name, _target(kind[at].type)) for at in range(kind.num_fields)])
    raise ParserFailed(
        f"no column type can hold Arrow's {kind}", fix="convert the column in the parser, for example to text"
    )


def _is_list_view(kind: pa.DataType) -> bool:
    return bool(pt.is_list_view(kind) or pt.is_large_list_view(kind))


def arrow_field(name: str, type_name: str, *, nullable: bool = True) -> pa.Field:
    """One field of a table: `json` and `string` share their Arrow type, so `json` is marked beside it."""
    return pa.field(name, arrow_type(type_name), nullable, {FIELD_TYPE: JSON} if type_name == "json" else None)


def arrow_schema(contract: Contract) -> pa.Schema:
    """The contract's columns as Arrow fields, in the contract's order."""
    return pa.schema(
        [arrow_field(column.name, column.type, nullable=column.nullable) for column in contract.columns]
    )


def normalise(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows in types of the contract language, nothing lost; metadata is kept.

    A column with values that its contract type cannot hold (a uint64 beyond int64, a time beyond the nanosecond
    range) becomes a decimal or its text.
    """
    if all(field.type == _target(field.type) for field in batch.schema):
        return batch
    columns, fields = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        changed = _normalise(column, field.name)
        columns.append(changed)
        fields.append(field.with_type(changed.type).with_metadata(_metadata(field)))
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, batch.schema.metadata))


def _metadata(field: pa.Field) -> dict[bytes, bytes] | None:
    metadata = cast("dict[bytes, bytes] | None", field.metadata)
    if getattr(field.type, "extension_name", "") == "arrow.json":
        return {**(metadata or {}), FIELD_TYPE: JSON}
    return metadata


def _normalise(column: pa.Array, name: str) -> pa.Array:
    target = _target(column.type)
    if column.type == target:
        return column
    if isinstance(column.type, pa.BaseExtensionType):
        return _normalise(column.storage, name)
    if pt.is_dictionary(column.type):
        return _normalise(column.dictionary_decode(), name)
    if pt.is_run_end_encoded(column.type):
        return _normalise(pc.run_end_decode(column), name)
    try:
        return column.cast(target)
    except pa.ArrowInvalid:
        return _beyond(column)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as exc:
        raise ParserFailed(f"column {name!r} of Arrow's {column.type} cannot be read", why=str(exc)) from exc


def _beyond(column: pa.Array) -> pa.Array:
    """What holds values that the contract type of their column cannot."""
    if pt.is_unsigned_integer(column.type):
        return column.cast(pa.decimal128(20, 0))
    if pt.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%S%Ez" if column.type.tz else "%Y-%m-%dT%H:%M:%S")
    if pt.is_nested(column.type):
        values: list[Any] = column.to_pylist()
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return column.cast(pa.string())
