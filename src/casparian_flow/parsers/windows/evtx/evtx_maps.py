"""Which event data fill the common columns, per channel and event id; the maps themselves are in evtx_maps.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from evtx_event import integer, text_of

MAPPED = (
    "user_name",
    "target_user",
    "logon_type",
    "remote_ip",
    "remote_host",
    "process_path",
    "command_line",
    "parent_process",
    "service_name",
    "hashes",
)

Key = tuple[str | None, int | None]
"""A channel and an event id."""

Paths = Sequence[Sequence[str]]
"""Names of event data, each a path of nested names; the texts of several are joined by a backslash."""

NOTHING = pa.array(["", "-"])
"""What Windows writes where it has nothing to say."""


@cache
def load_maps() -> Mapping[Key, Mapping[str, Paths]]:
    """The maps shipped with the parser: where each column comes from."""
    channels = json.loads(Path(__file__).with_name("evtx_maps.json").read_text(encoding="utf-8"))["channels"]
    return {
        (channel, int(event_id)): {column: _paths(source) for column, source in columns.items()}
        for channel, events in channels.items()
        for event_ids, columns in events.items()
        for event_id in event_ids.split()
    }


def _paths(source: str | list[str]) -> Paths:
    return [name.split("/") for name in ([source] if isinstance(source, str) else source)]


class MappedColumns:
    """Collects the event data of kinds that have a map, and makes the columns of all of them at once."""

    def __init__(self) -> None:
        self.groups: dict[Key, tuple[list[int], list[dict[str, Any]]]] = {key: ([], []) for key in load_maps()}
        """For each kind the rows that are of it, and their event data."""

    def columns(self, length: int) -> dict[str, pa.Array]:
        """Every mapped column, null in rows that no map fills."""
        parts: dict[str, list[tuple[list[int], pa.Array]]] = {name: [] for name in MAPPED}
        for key, (rows, bodies) in self.groups.items():
            if rows:
                for column, paths in load_maps()[key].items():
                    parts[column].append((rows, _gather(bodies, paths)))
        columns = {name: scatter(many, length, pa.string()) for name, many in parts.items()}
        columns["logon_type"] = _integers(columns["logon_type"])
        return columns


def _gather(bodies: Sequence[dict[str, Any]], paths: Paths) -> pa.Array:
    """One text per event; null where it has nothing but `-` and emptiness."""
    return reduce(_join, (_texts(bodies, path) for path in paths))


def _join(first: pa.Array, second: pa.Array) -> pa.Array:
    """Both joined by a backslash, or the one that is there; Arrow's own skipping of nulls loses whole rows."""
    both = pc.binary_join_element_wise(first, second, "\\")
    return pc.coalesce(both, first, second)


def _texts(bodies: Sequence[dict[str, Any]], path: Sequence[str]) -> pa.Array:
    values: list[Any] = [body.get(path[0]) for body in bodies]
    for name in path[1:]:
        values = [value.get(name) if isinstance(value, dict) else None for value in values]
    try:
        return _without_nothing(pa.array(values, pa.string()))
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _without_nothing(pa.array([text_of(value) for value in values], pa.string()))


def _without_nothing(texts: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_in(texts, NOTHING), pa.scalar(None, pa.string()), texts)


def _integers(texts: pa.Array) -> pa.Array:
    try:
        return pc.cast(texts, pa.int64())
    except pa.ArrowInvalid:
        return pa.array([integer(text) for text in texts.to_pylist()], pa.int64())


def scatter(parts: Sequence[tuple[Sequence[int], pa.Array]], length: int, kind: pa.DataType) -> pa.Array:
    """One column of `length` rows out of values for some of its rows; null in the others."""
    if not parts:
        return pa.nulls(length, kind)
    places = np.full(length, -1, np.int32)
    places[np.concatenate([rows for rows, _ in parts])] = np.arange(sum(len(rows) for rows, _ in parts))
    return pa.concat_arrays([values for _, values in parts]).take(pa.array(places, mask=places < 0))
