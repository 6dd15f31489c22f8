"""Event data that mix named and unnamed values, of which the library's JSON keeps the named ones only."""

from __future__ import annotations

import html
import re

import numpy as np
import orjson
from evtx_reader import iterate
from evtx_salvage import with_file_header
from evtx_scan import Chunk

_OPEN, _OPEN_WITH_ATTRIBUTES = 0x01, 0x41
_NAME_AT = 7
"""The reference to the name follows the token, a dependency id and the element's size."""

_BODY = re.compile(r"<EventData[^>]*>(.*)</EventData>", re.DOTALL)
_VALUE = re.compile(r'<(\w+)(?:\s+Name="([^"]*)")?[^>]*?(?:/>|>(.*?)</\1>)', re.DOTALL)


def has_mixed_data(chunk: bytes) -> bool:
    """Whether some EventData element in the chunk has Data elements both with and without attributes.

    Elements refer to their names by offset, so they are found in the bytes without reading the records.
    """
    places, tokens = _find_elements(chunk, "Data")
    if len(tokens) < 2 or (tokens == tokens[0]).all():
        return False
    bodies = np.searchsorted(_find_elements(chunk, "EventData")[0], places)
    plain, attributed = (set(bodies[tokens == token].tolist()) for token in (_OPEN, _OPEN_WITH_ATTRIBUTES))
    return not plain.isdisjoint(attributed)


def _find_elements(chunk: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Where elements of this name begin, in order, and by which tokens. A chunk spells each name out once."""
    data = np.frombuffer(chunk, np.uint8)
    text = len(name).to_bytes(2, "little") + name.encode("utf-16-le") + b"\0\0"
    name_at = chunk.find(text) - 6
    found = [np.empty(0, np.int64)]
    for odd in (0, 1) if name_at >= 0 else ():
        halves = np.frombuffer(chunk, "<u2", offset=odd, count=len(chunk) // 2 - odd)
        found.append(2 * np.flatnonzero(halves == name_at) + odd - _NAME_AT)
    places = np.sort(np.concatenate(found))
    places = places[(places >= 0) & (places < len(chunk) - _NAME_AT - 4)]
    is_reference = (data[places + _NAME_AT + 2] == 0) & (data[places + _NAME_AT + 3] == 0)
    places = places[is_reference & ((data[places] == _OPEN) | (data[places] == _OPEN_WITH_ATTRIBUTES))]
    return places, data[places]


def read_mixed_data(chunk: Chunk) -> dict[int, str]:
    """The complete payloads of the chunk's events with mixed data, as pairs in order, by record id."""
    payloads: dict[int, str] = {}
    for record in iterate(with_file_header([chunk.data]), len(chunk.records), as_xml=True):
        body = _BODY.search(record["data"]) if isinstance(record, dict) else None
        if body is None:
            continue
        values = _VALUE.findall(body[1])
        named = {bool(name) for element, name, _ in values if element == "Data"}
        if isinstance(record, dict) and len(named) == 2:
            pairs = [
                {"name": html.unescape(name) or (None if element == "Data" else element), "value": html.unescape(value)}
                for element, name, value in values
            ]
            payloads[record["event_record_id"]] = orjson.dumps(pairs).decode()
    return payloads
