"""Which event data fill the common columns, per channel and event id; the maps themselves are in evtx_maps.json."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, reduce
from itertools import zip_longest
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

Paths = Sequence[Sequence[str]]
"""Names of event data, each a path of nested names; the texts of several are joined by a backslash."""

NOTHING = pa.array(["", "-"])
"""What Windows writes where it has nothing to say."""


@cache
def load_maps() -> Mapping[int | None, Mapping[str | None, Mapping[str, Paths]]]:
    """The maps shipped with the parser: where each column comes from, by event id and channel."""
    channels = json.loads(Path(__file__).with_name("evtx_maps.json").read_text(encoding="utf-8"))["channels"]
    found: dict[int | None, dict[str | None, Mapping[str, Paths]]] = {}
    for channel, events in channels.items():
        for event_ids, columns in events.items():
            for event_id in event_ids.split():
                maps = found.setdefault(int(event_id), {})
                maps[channel] = {column: _paths(source) for column, source in columns.items()}
    return found


def _paths(source: str | list[str]) -> Paths:
    return [name.split("/") for name in ([source] if isinstance(source, str) else source)]


class Group:
    """The events of one kind: which rows they are, and the values that its map needs of their event data."""

    def __init__(self, columns: Mapping[str, Paths]) -> None:
        self._columns = columns
        self.rows: list[int] = []
        self.names = tuple({path[0]: None for paths in columns.values() for path in paths})
        self.values: list[tuple[Any, ...]] = []
        """For each row the values of `names`: the event data themselves are let go at once."""

    def columns(self) -> Iterator[tuple[str, list[Sequence[Any]]]]:
        """Each column with the values of each of its paths."""
        values = dict(zip(self.names, zip(*self.values, strict=True), strict=True))
        for column, paths in self._columns.items():
            yield column, [_follow(values[path[0]], path[1:]) for path in paths]


class MappedColumns:
    """Collects what is mapped of the event data of all kinds, and makes all columns at once."""

    def __init__(self) -> None:
        self._by_event: dict[int | None, Mapping[str | None, Group]] = {}

    def of_event(self, event_id: int | None) -> Mapping[str | None, Group] | None:
        """Where to put what is mapped of an event id, per channel; None if nothing is."""
        if event_id not in self._by_event:
            maps = load_maps().get(event_id, {})
            self._by_event[event_id] = {channel: Group(columns) for channel, columns in maps.items()}
        return self._by_event[event_id] or None

    def columns(self, length: int) -> dict[str, pa.Array]:
        """Every mapped column, null in rows that no map fills."""
        found = {name: _Gathered() for name in MAPPED}
        for group in (group for by_channel in self._by_event.values() for group in by_channel.values()):
            if group.rows:
                rows = np.array(group.rows, np.int32)
                for column, parts in group.columns():
                    found[column].add(rows, parts)
        numbers = found.pop("logon_type")
        columns = {name: scatter(gathered.rows, gathered.texts(), length) for name, gathered in found.items()}
        columns["logon_type"] = scatter(numbers.rows, _integers(numbers.texts()), length)
        return columns


class _Gathered:
    """What the events of all kinds have for one column: Arrow is asked once for all of them, not once for each kind."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []
        self._parts: list[list[Any]] = []
        """The values of the first path, then those of the second: all as long as the rows, None where no path is."""

    def add(self, rows: np.ndarray, parts: Sequence[Sequence[Any]]) -> None:
        """Put the values of one kind behind those of the others."""
        before = sum(map(len, self.rows))
        self._parts += [[None] * before for _ in parts[len(self._parts) :]]
        self.rows.append(rows)
        for known, part in zip_longest(self._parts, parts, fillvalue=[None] * len(rows)):
            known += part

    def texts(self) -> pa.Array:
        """One text per row; null where it has nothing but `-` and emptiness."""
        return reduce(_join, map(_texts, self._parts)) if self._parts else pa.nulls(0, pa.string())


def _join(first: pa.Array, second: pa.Array) -> pa.Array:
    """Both joined by a backslash, or the one that is there; Arrow's own skipping of nulls loses whole rows."""
    both = pc.binary_join_element_wise(first, second, "\\")
    return pc.coalesce(both, first, second)


def _follow(values: Sequence[Any], path: Sequence[str]) -> Sequence[Any]:
    for name in path:
        values = [value.get(name) if isinstance(value, dict) else None for value in values]
    return values


def _texts(values: list[Any]) -> pa.Array:
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


def scatter(rows: Sequence[np.ndarray], values: pa.Array, length: int) -> pa.Array:
    """One column of `length` rows out of values for some of its rows; null in the others."""
    if not len(values):
        return pa.nulls(length, values.type)
    places = np.full(length, -1, np.int32)
    places[np.concatenate(rows)] = np.arange(len(values))
    return values.take(pa.array(places, mask=places < 0))
