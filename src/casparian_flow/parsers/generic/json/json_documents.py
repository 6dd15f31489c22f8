"""Which values of a JSON file are rows: the elements of an array of records, or whole documents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from json_rows import RowMaker
from json_window import SPACE, Window

from casparian_flow.sdk import Rejected, Rows, Verdict
from casparian_flow.sdk.json_text import structure

OUTPUT, DOCUMENT = "", "document"


def read_documents(window: Window) -> Iterator[Rows | Rejected | Verdict]:
    """Every value of the file, each as a row or a rejection."""
    window.grow()
    window.consume(window.first_text())
    rows = RowMaker(OUTPUT)
    end = _first_end(window.data)
    is_only = end is None or not window.data[end:].lstrip(SPACE).startswith((b"{", b"["))
    if is_only and window.data.startswith(b"["):
        yield Verdict("records", "elements of the array")
        window.consume(1)
        yield from _read_elements(window, rows)
    elif is_only and (found := _records_key(window.data)) is not None:
        key, start = found
        yield Verdict("records", f"elements of {key}", confidence=0.9)
        yield from _read_wrapped(window, rows, start)
    yield from _read_rest(window, rows)


def _first_end(data: bytes) -> int | None:
    """Where the first document ends, if it is an array or an object that does."""
    if not data.startswith((b"{", b"[")):
        return None
    at, _, depth = structure(np.frombuffer(data, np.uint8))
    closed = np.flatnonzero(depth <= 0)
    return int(at[closed[0]]) + 1 if len(closed) else None


def _records_key(data: bytes) -> tuple[str, int] | None:
    """The key whose array of objects is most of an object, and where in the data that array begins."""
    if not data.startswith(b"{"):
        return None
    at, chars, depth = structure(np.frombuffer(data, np.uint8))
    is_top = (depth == 1) & ((chars == ord(":")) | (chars == ord(",")) | (at == 0))
    marks = at[is_top]
    kinds = chars[is_top]
    best: tuple[int, str, int] | None = None
    for place in np.flatnonzero(kinds == ord(":")).tolist():
        colon = int(marks[place])
        end = int(marks[place + 1]) if place + 1 < len(marks) else len(data)
        start = colon + 1 + len(data[colon + 1 : end]) - len(data[colon + 1 : end].lstrip(SPACE))
        if data[start : start + 1] == b"[" and data[start + 1 : end][:4096].lstrip(SPACE).startswith(b"{"):
            key = data[int(marks[place - 1]) + 1 : colon].strip(SPACE).decode("utf-8", "replace")
            best = max(best or (0, "", 0), (end - start, key, start))
    if best is None or 2 * best[0] < len(data):
        return None
    return best[1], best[2]


def _read_wrapped(window: Window, rows: RowMaker, start: int) -> Iterator[Rows | Rejected | Verdict]:
    """The elements of one array of an object; what stands around it is the one row of `document`."""
    around = RowMaker(DOCUMENT)
    opened = int(window.places(np.array([0]))[0])
    before = window.data[: window.data.rindex(b":", 0, start)]
    before = before[: max(before.rfind(b",", 0, _key_start(before)), 1)]
    closed = int(window.places(np.array([len(before)]))[0])
    window.consume(start + 1)
    has_end = yield from _read_elements(window, rows)
    after = b""
    if has_end:
        while (end := _object_end(window.data)) is None and window.grow():
            pass
        if end is not None:
            after = window.data[: end - 1].strip(SPACE)
            closed = int(window.places(np.array([end]))[0])
            window.consume(end)
    document = before + (after.removeprefix(b",") if len(before) == 1 else after) + b"}"
    if document.strip(b"{} \t\r\n"):
        yield from around.made([document], np.array([opened]), np.array([closed]))


def _key_start(before: bytes) -> int:
    """Where the key at the end of the data begins."""
    at, _, depth = structure(np.frombuffer(before, np.uint8))
    last = np.flatnonzero(depth == 1)
    return int(at[last[-1]]) + 1 if len(last) else 1


def _object_end(data: bytes) -> int | None:
    """Behind the brace that closes an object whose beginning is consumed."""
    at, _, depth = structure(np.frombuffer(data, np.uint8))
    closed = np.flatnonzero(depth < 0)
    return int(at[closed[0]]) + 1 if len(closed) else None


def _read_elements(window: Window, rows: RowMaker) -> Iterator[Rows | Rejected | Verdict]:
    """The elements of an array whose bracket is consumed, up to its end; returns whether it has one."""
    is_first = True
    while True:
        at, chars, depth = structure(np.frombuffer(window.data, np.uint8))
        closed = np.flatnonzero(depth < 0)
        stop = int(closed[0]) if len(closed) else len(at)
        ends = at[:stop][(depth[:stop] == 0) & (chars[:stop] == ord(","))]
        if len(closed):
            ends = np.append(ends, at[stop])
        starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else ends
        if len(closed) and is_first and len(ends) == 1 and not window.data[: ends[0]].strip(SPACE):
            starts = ends = ends[:0]  # an empty array
        if len(ends):
            yield from rows.pieces(window, starts, ends)
            is_first = False
        if len(closed):
            window.consume(int(at[stop]) + 1)
            return True
        if len(ends):
            window.consume(int(ends[-1]) + 1)
        if not window.grow():
            yield from rows.last_element(window)
            yield Verdict("truncated", "the array does not end")
            return False


def _read_rest(window: Window, rows: RowMaker) -> Iterator[Rows | Rejected]:
    """Documents one after another."""
    while True:
        at, chars, depth = structure(np.frombuffer(window.data, np.uint8))
        low = np.minimum.accumulate(np.minimum(depth, 0)) if len(depth) else depth
        is_end = (depth <= low) & ((chars == ord("}")) | (chars == ord("]")))
        ends = at[is_end] + 1
        if len(ends):
            yield from rows.pieces(window, np.concatenate(([0], ends[:-1])), ends)
            window.consume(int(ends[-1]))
        if not window.grow():
            break
    yield from rows.last_value(window)
