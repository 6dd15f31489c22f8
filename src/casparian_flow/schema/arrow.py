"""The contract language as Arrow types, and what parsers send brought into that language."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import ParserFailed, UsageError
from casparian_flow.core.types import ColumnType, parse_type
from casparian_flow.schema.rendering import as_text
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

    uint64 is answered as `int64`: whether its values fit is for `normalise` to see, and so is whether the names
    inside a struct can be written in a type name.
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


def _target(kind: pa.DataType) -> pa.DataType:
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


def type_text(kind: pa.DataType) -> str:
    """The name of an Arrow type, whatever the file it was read from calls the items of its lists."""
    return str(_with_plain_items(kind))


def _with_plain_items(kind: pa.DataType) -> pa.DataType:
    if pt.is_list(kind):
        return pa.list_(_with_plain_items(kind.value_type))
    if pt.is_struct(kind):
        return pa.struct([(kind[at].name, _with_plain_items(kind[at].type)) for at in range(kind.num_fields)])
    return kind


def _is_list_view(kind: pa.DataType) -> bool:
    return bool(pt.is_list_view(kind) or pt.is_large_list_view(kind))


def arrow_field(name: str, type_name: str, *, nullable: bool = True) -> pa.Field:
    """One field of a table: `json` and `string` share their Arrow type, so `json` is marked beside it."""
    return pa.field(name, arrow_type(type_name), nullable, {FIELD_TYPE: JSON} if type_name == "json" else None)


def arrow_schema(contract: Contract) -> pa.Schema:
    """The contract's columns as Arrow fields, in the contract's order."""
    return pa.schema([arrow_field(column.name, column.type, nullable=column.nullable) for column in contract.columns])


def normalise(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows in types of the contract language, nothing lost; metadata is kept.

    A column with values that its contract type cannot hold (a uint64 beyond int64, a time beyond the nanosecond
    range) becomes a decimal or its text; nested types that no type name can say become `json`. Raises ParserFailed
    for types that nothing can hold, and when two columns have one name.
    """
    names = batch.schema.names
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ParserFailed(f"the parser yields two columns of one name: {', '.join(twice)}")
    if is_spoken(batch.schema):
        return batch
    columns, fields = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        try:
            changed = _normalise(column)
        except (pa.ArrowNotImplementedError, pa.ArrowTypeError, ValueError, OverflowError) as exc:
            raise ParserFailed(f"column {field.name!r} of Arrow's {field.type} cannot be read", why=str(exc)) from exc
        is_json = pt.is_string(changed.type) and _becomes_json(field.type)
        metadata = cast("dict[bytes, bytes] | None", field.metadata)
        columns.append(changed)
        fields.append(
            pa.field(field.name, changed.type, True, {**(metadata or {}), FIELD_TYPE: JSON} if is_json else metadata)
        )
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields, batch.schema.metadata))


def is_spoken(schema: pa.Schema) -> bool:
    """Whether every column has a type of the contract language as it stands: nothing need be changed."""
    return all(_is_spoken(kind) for kind in schema.types)


@lru_cache(maxsize=1024)
def _is_spoken(kind: pa.DataType) -> bool:
    """Whether the type is one of the contract language as it stands."""
    if kind != _target(kind):
        return False
    return not pt.is_nested(kind) or _can_be_named(kind)


def _can_be_named(kind: pa.DataType) -> bool:
    try:
        return bool(arrow_type(type_name(kind)) == kind)
    except UsageError:
        return False


def _becomes_json(kind: pa.DataType) -> bool:
    return getattr(kind, "extension_name", "") == "arrow.json" or bool(pt.is_nested(kind))


def _normalise(column: pa.Array) -> pa.Array:
    if isinstance(column.type, pa.BaseExtensionType):
        return _normalise(column.storage)
    if pt.is_dictionary(column.type):
        return _normalise(column.dictionary_decode())
    if pt.is_run_end_encoded(column.type):
        return _normalise(pc.run_end_decode(column))
    target = _target(column.type)
    if pt.is_nested(target) and not _can_be_named(target):
        return as_text(column)
    if column.type == target:
        return column
    try:
        return column.cast(target)
    except pa.ArrowInvalid:  # a value that the type cannot hold
        if pt.is_unsigned_integer(column.type):
            return column.cast(pa.decimal128(20, 0))
        return as_text(column)
