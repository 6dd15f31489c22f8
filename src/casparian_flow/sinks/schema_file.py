"""The Arrow schema beside data files that cannot carry one: `v<contract>/schema.json`, one per contract version."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from casparian_flow.core.errors import InvariantBroken, LogConflict, VerificationFailed
from casparian_flow.sinks.durable import put_if_absent
from casparian_flow.sinks.layout import SCHEMA_FILE
from casparian_flow.sinks.sealed_json import open_json, seal_json

FORMAT_VERSION = 1
_SIMPLE = {
    str(kind): kind
    for kind in (
        pa.bool_(),
        pa.int32(),
        pa.int64(),
        pa.float64(),
        pa.date32(),
        pa.time64("ns"),
        pa.duration("ns"),
        pa.string(),
        pa.binary(),
    )
}
_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)")
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")


def keep_schema(folder: Path, schema: pa.Schema) -> None:
    """Write the schema down in a folder of data files, durably once the folder is synced.

    Called after a data file was created, so that `remove_alone` never takes it from under a file. Raises LogConflict if
    the folder has another one.
    """
    path = folder / SCHEMA_FILE
    data = schema_bytes(schema)
    if not put_if_absent(path, data) and path.read_bytes() != data:
        raise LogConflict(
            "the rows of one contract version would have two schemas",
            where=str(path),
            why="another home writes to this target, or the home was restored from a backup",
            fix="choose another folder as target",
        )


def read_schema(folder: Path) -> pa.Schema:
    """The schema of the data files in a folder; raises VerificationFailed if it is missing or damaged."""
    path = folder / SCHEMA_FILE
    try:
        body = open_json(path.read_bytes(), str(path))
    except FileNotFoundError as exc:
        raise VerificationFailed("the schema of committed files is missing", where=str(path)) from exc
    try:
        if body["version"] != FORMAT_VERSION:
            raise ValueError(f"its format is {body['version']!r}, this program knows {FORMAT_VERSION}")
        return pa.schema(_fields(body["columns"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise VerificationFailed("a schema cannot be understood", where=str(path), why=str(exc)) from exc


def remove_alone(folder: Path) -> None:
    """Remove the schema of a folder in which nothing else is left; for whoever keeps others from filling it."""
    path = folder / SCHEMA_FILE
    if not _is_alone(path):
        return
    data = path.read_bytes()
    with suppress(VerificationFailed):  # then it is not ours
        open_json(data, str(path))
        path.unlink()


def schema_bytes(schema: pa.Schema) -> bytes:
    """The one encoding of a schema; columns that arrive as dictionaries are of their values' type."""
    return seal_json({"version": FORMAT_VERSION, "columns": _values(schema)})


def _is_alone(path: Path) -> bool:
    try:
        return [entry.name for entry in path.parent.iterdir()] == [path.name]
    except (FileNotFoundError, NotADirectoryError):
        return False


def _values(fields: Iterable[pa.Field]) -> list[dict[str, Any]]:
    found = []
    for field in fields:
        value = {"name": field.name, "type": _type_value(field.type), "nullable": field.nullable}
        if field.metadata:
            value["metadata"] = {key.decode(): text.decode() for key, text in field.metadata.items()}
        found.append(value)
    return found


def _type_value(kind: pa.DataType) -> Any:
    if pt.is_dictionary(kind):
        return _type_value(kind.value_type)
    if pt.is_list(kind):
        return {"list": _values([kind.value_field])}
    if pt.is_struct(kind):
        return {"struct": _values(kind)}
    text = str(kind)
    if text not in _SIMPLE and not _DECIMAL.fullmatch(text) and not _TIMESTAMP.fullmatch(text):
        raise InvariantBroken(f"a column of Arrow's {kind} reached a sink")
    return text


def _fields(values: Any) -> list[pa.Field]:
    return [pa.field(value["name"], _type(value["type"]), value["nullable"], value.get("metadata")) for value in values]


def _type(value: Any) -> pa.DataType:
    if isinstance(value, dict):
        [(kind, members)] = value.items()
        fields = _fields(members)
        if kind == "list" and len(fields) == 1:
            return pa.list_(fields[0])
        if kind == "struct":
            return pa.struct(fields)
        raise ValueError(f"{kind} is not a type")
    if value in _SIMPLE:
        return _SIMPLE[value]
    if decimal := _DECIMAL.fullmatch(value):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    if timestamp := _TIMESTAMP.fullmatch(value):
        return pa.timestamp(timestamp[1], timestamp[2])
    raise ValueError(f"{value} is not a type")
