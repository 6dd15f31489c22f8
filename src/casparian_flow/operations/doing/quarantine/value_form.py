"""The form in which a column takes the value that a person writes."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.errors import INSTEAD
from casparian_flow.core.types import parse_type
from casparian_flow.schema.cast import cast_column

_SOME_DAY = datetime(2026, 12, 31, 23, 59, 58, tzinfo=UTC)
_EXAMPLES = {
    "boolean": "true",
    "int64": "12",
    "float64": "12.5",
    "decimal": "12",
    "date": "%Y-%m-%d",
    "time": "%H:%M:%S",
    "timestamp": "%Y-%m-%dT%H:%M:%S",
    "timestamp_tz": "%Y-%m-%dT%H:%M:%SZ",
    "json": '{"a": 1}',
}


def fits(text: str, column: ContractColumn) -> bool:
    """Whether the column takes the text as one of its values."""
    return _read(text, column) is not None


def form_of(column: ContractColumn) -> str:
    """What is to be said of the form of its values; empty where the type says it all."""
    return "" if column.format is None else f"{column.name} is written as {column.format}"


def meant_by(text: str, column: ContractColumn) -> str:
    """What to write instead: the same day or moment in the form of the column if it was written as tables show it.

    Else a value that the column takes, as an example; empty if none is known.
    """
    if (value := _shown(text, column)) is not None:
        typed, meant = f"{column.name}={text}", f"{column.name}={value}"
        return f"--set {shlex.quote(meant)} {INSTEAD} --set {shlex.quote(typed)}"
    kind = parse_type(column.type).name
    if kind not in _EXAMPLES:
        return ""
    example = _SOME_DAY.strftime(column.format or _EXAMPLES[kind])
    return f"a value such as {example}" if fits(example, column) else ""


def _shown(text: str, column: ContractColumn) -> str | None:
    """The text in the form of the column, if it stands for the same value in the form in which tables show it."""
    if column.format is None:
        return None
    value = _read(text, replace(column, format=None))
    if not isinstance(value, date):
        return None
    written = value.strftime(column.format)
    return written if _read(written, column) == value else None


def _read(text: str, column: ContractColumn) -> object:
    """The value that the column holds for a text; None if it takes no such text."""
    values, failed = cast_column(pa.array([text], pa.string()), column)
    if failed is not None:
        return None
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return text if pa.types.is_time(values.type) else values[0].as_py()
