"""Reads server-sent events from an open answer, one after another, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from casparian_flow.core.errors import ConnectionLost

LARGEST_LINE = 256 << 20
"""A reply is one line, and holds at most what an answer of the API holds."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is what its lines held, joined. One without a name only says that the other end is there."""

    name: str
    data: bytes
    id: str


def read_events(stream: BinaryIO) -> Iterator[Event]:
    """Every whole event until the stream ends; a comment is one without a name. An unfinished event is dropped."""
    name, id_ = "message", ""
    data: list[bytes] = []
    while line := stream.readline(LARGEST_LINE):
        if len(line) >= LARGEST_LINE:
            raise ConnectionLost("the sentinel sends more than an answer may hold")
        line = line.rstrip(b"\r\n")
        if line.startswith(b":"):
            yield Event("", line[1:], id_)
            continue
        if not line:
            if data:
                yield Event(name, b"\n".join(data), id_)
            name, data = "message", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"event":
                name = value.decode(errors="replace")
            case b"data":
                data.append(value)
            case b"id":
                id_ = value.decode(errors="replace")
