"""Python values as one Arrow column: typed where all values are of one kind, else as JSON text."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import pyarrow as pa

from casparian_flow.guest.problems import BadYield
from casparian_flow.sdk.emit import FIELD_ENCODING

_NUMBERS = {int, float}
_LISTS = {list, tuple}
_JSON_FIELD = {FIELD_ENCODING: b"json"}


def typed_column(name: str, values: Sequence[Any]) -> tuple[pa.Field, pa.Array]:
    """One column of these values, with its field.

    Values of one Python type become that Arrow type, ints and floats together float64 if each int is exact in it,
    lists of such values a list. Everything else (mixed types, dicts, ints beyond int64) becomes text with the
    encoding `json` of `sdk.emit`, so that no value is changed.
    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if _is_homogeneous(kinds, values):
        try:
            column = pa.array(values)
        except (pa.ArrowException, OverflowError, TypeError, ValueError):
            pass  # as JSON then, which holds every int and refuses what is no value, by name
        else:
            if not isinstance(column, pa.ChunkedArray):
                return pa.field(name, column.type), column
    return pa.field(name, pa.string(), metadata=_JSON_FIELD), _json_column(name, values)


def _is_homogeneous(kinds: set[type], values: Sequence[Any]) -> bool:
    if len(kinds) > 1:
        return kinds == _NUMBERS or (kinds == _LISTS and _is_list_of_one_kind(values))
    if any(issubclass(kind, Mapping) for kind in kinds):
        return False
    if kinds & _LISTS:
        return _is_list_of_one_kind(values)
    if kinds == {dt.datetime}:  # Arrow would take naive ones for UTC
        return len({value.tzinfo is None for value in values if value is not None}) == 1
    return True


def _is_list_of_one_kind(values: Sequence[Any]) -> bool:
    inner = list(chain.from_iterable(value for value in values if value is not None))
    kinds = set(map(type, inner)) - {type(None)}
    return not kinds & _LISTS and _is_homogeneous(kinds, inner)


def _json_column(name: str, values: Sequence[Any]) -> pa.Array:
    try:
        return pa.array([None if value is None else _tagged(value) for value in values], pa.string())
    except UnicodeEncodeError as exc:
        raise BadYield(f"column {name!r} holds text that is not valid Unicode (a lone surrogate)") from exc
    except (TypeError, ValueError, RecursionError) as exc:
        raise BadYield(f"column {name!r} holds a value that no column can hold: {exc}") from exc


def _tagged(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value
    if isinstance(value, float) and not math.isfinite(value):
        return f'"{value}'
    if isinstance(value, (Mapping, list, tuple, bool, int, float)):
        return json.dumps(value, ensure_ascii=False, default=_as_text, separators=(",", ":"))
    return '"' + _as_text(value)


def _as_text(value: Any) -> str:
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, (Decimal, dt.timedelta)) or type(value).__name__ == "UUID":
        return str(value)
    raise TypeError(f"{type(value).__name__} (in a column of mixed or nested values)")
