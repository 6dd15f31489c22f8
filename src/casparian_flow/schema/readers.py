"""Plain text read as any type of the contract language: the one meaning that inference and casting share."""

from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.types import ColumnType
from casparian_flow.schema.arrow import arrow_type
from casparian_flow.schema.cells import Cells, Reading, as_mask, nothing
from casparian_flow.schema.numbers import read_decimal, read_float64, read_int64
from casparian_flow.schema.temporal import read_temporal

_BOOLEAN = pa.bool_()
_CHECK = msgspec.json.Decoder(msgspec.Raw)  # checks the whole text, builds nothing


def read_text(cells: Cells, kind: ColumnType, pattern: str | None = None) -> Reading:
    """The cells as a type; a cell fits or not whatever stands beside it.

    Lists, structs and `json` are read from their JSON text; nothing reads as a duration.
    """
    match kind.name:
        case "string":
            return Reading(cells.array)
        case "boolean":
            return read_boolean(cells)
        case "int64":
            return read_int64(cells)
        case "float64":
            return read_float64(cells)
        case "decimal":
            return read_decimal(cells, int(kind.args[0]), int(kind.args[1]))
        case "date" | "time" | "timestamp" | "timestamp_tz":
            return read_temporal(cells, kind.name, pattern, arrow_type(str(kind)))
        case "binary":
            return Reading(cells.array.cast(pa.binary()))
        case "json":
            return _read_json(cells)
        case "list" | "struct":
            return read_nested(cells, kind)
        case _:
            return nothing(len(cells), arrow_type(str(kind)))


def read_boolean(cells: Cells) -> Reading:
    """`true` and `false` in any letter case."""
    if cells.shortest > 5 or cells.longest < 4:
        return nothing(len(cells), _BOOLEAN)
    lower = pc.ascii_lower(cells.array)
    yes = as_mask(pc.equal(lower, "true"))
    fits = yes | as_mask(pc.equal(lower, "false"))
    values = pa.array(yes, mask=~fits)
    return Reading(values) if fits.all() else Reading(values, ~fits)


def _read_json(cells: Cells) -> Reading:
    failed = np.array([not _is_json(text) for text in cells.array.to_pylist()], np.bool_)
    if not failed.any():
        return Reading(cells.array)
    return Reading(pc.if_else(pa.array(failed), pa.scalar(None, pa.string()), cells.array), failed)


def _is_json(text: str) -> bool:
    try:
        _CHECK.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def read_nested(cells: Cells, kind: ColumnType) -> Reading:
    """JSON arrays and objects as lists and structs; a cell whose parts do not fit, or has others, does not fit."""
    target = arrow_type(str(kind))
    failed = np.zeros(len(cells), np.bool_)
    values = []
    for at, text in enumerate(cells.array.to_pylist()):
        try:
            value = msgspec.json.decode(text)
            if value is None or not _has_shape(value, kind):  # null is no list: what is missing is no text
                raise pa.ArrowInvalid("another shape")
            pa.array([value], target)
            values.append(value)
        except (msgspec.DecodeError, pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, RecursionError):
            failed[at] = True
            values.append(None)
    array = pa.array(values, target)
    return Reading(array, failed) if failed.any() else Reading(array)


def _has_shape(value: object, kind: ColumnType) -> bool:
    """Whether every part of the value has a place in the type, and no number would be rounded or turned into text."""
    if value is None:
        return True
    match kind.name:
        case "list":
            return isinstance(value, list) and all(_has_shape(item, kind.fields[0][1]) for item in value)
        case "struct":
            parts = dict(kind.fields)
            return isinstance(value, dict) and all(
                name in parts and _has_shape(part, parts[name]) for name, part in value.items()
            )
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "int64":
            return isinstance(value, int) and not isinstance(value, bool)
        case "float64":
            if isinstance(value, int) and not isinstance(value, bool):
                return int(float(value)) == value
            return isinstance(value, float)
        case _:
            return False
