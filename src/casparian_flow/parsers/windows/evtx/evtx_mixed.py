"""Event data that mix named and unnamed values, of which the library's JSON keeps the named ones only."""

from __future__ import annotations

import html
import re

import numpy as np
import orjson
from evtx_chunks import CHUNK_SIZE, HEADER_BLOCK
from evtx_reader import iterate
from evtx_salvage import with_file_header
from evtx_scan import Chunk

_OPEN, _OPEN_WITH_ATTRIBUTES = 0x01, 0x41
_NAME_AT = 7
"""The reference to the name follows the token, a dependency id and the element's size."""
_SPELLED_AT = 6
"""Where a name is spelled out, two fields stand before its length."""

_BODY = re.compile(r"<EventData[^>]*>(.*)</EventData>", re.DOTALL)
_VALUE = re.compile(r'<(\w+)(?:\s+Name="([^"]*)")?[^>]*?(?:/>|>(.*?)</\1>)', re.DOTALL)


def find_mixed_data(file: bytes, chunks: int) -> list[bool]:
    """For each of the chunks of a log: whether some EventData has Data elements both with and without attributes.

    Elements refer to their names by offset, so they are found in the bytes without reading the records.
    """
    places, tokens = _find_elements(file, chunks, "Data")
    is_mixed = [False] * chunks
    change = np.flatnonzero(tokens[1:] != tokens[:-1])
    if len(change):
        bodies = np.searchsorted(_find_elements(file, chunks, "EventData")[0], places)
        owners = places // CHUNK_SIZE
        is_one = (bodies[change] == bodies[change + 1]) & (owners[change] == owners[change + 1])
        for chunk in owners[change[is_one]].tolist():
            is_mixed[chunk] = True
    return is_mixed


def _find_elements(file: bytes, chunks: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Where elements of this name begin, in order, and by which tokens; places count from the first chunk.

    A chunk spells each name out once.
    """
    text = len(name).to_bytes(2, "little") + name.encode("utf-16-le") + b"\0\0"
    starts = range(HEADER_BLOCK, HEADER_BLOCK + chunks * CHUNK_SIZE, CHUNK_SIZE)
    name_at = np.array([file.find(text, start, start + CHUNK_SIZE) - start for start in starts]) - _SPELLED_AT
    wanted = name_at.astype(np.uint16)[:, None]
    found: list[np.ndarray] = []
    for odd in (0, 1):
        halves = np.frombuffer(file, "<u2", chunks * CHUNK_SIZE // 2, HEADER_BLOCK - odd).reshape(chunks, -1)
        found.append(2 * np.flatnonzero(halves == wanted) - odd - _NAME_AT)
    places = np.sort(np.concatenate(found))
    places = places[places % CHUNK_SIZE < CHUNK_SIZE - _NAME_AT - 4]  # none reaches beyond either end of its chunk
    places = places[(name_at >= 0)[places // CHUNK_SIZE]]
    data = np.frombuffer(file, np.uint8, offset=HEADER_BLOCK)
    tokens = data[places]
    is_reference = (data[places + _NAME_AT + 2] == 0) & (data[places + _NAME_AT + 3] == 0)
    is_element = is_reference & ((tokens == _OPEN) | (tokens == _OPEN_WITH_ATTRIBUTES))
    return places[is_element], tokens[is_element]


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
