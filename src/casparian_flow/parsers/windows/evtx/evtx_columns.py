"""Events to columns: one pass over the JSON text of each record, then everything at once."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from evtx_event import HEAD, TAIL, attributes, count_names, head_of, integer, loads_with_repeats, tail_of, text_of
from evtx_maps import MappedColumns, scatter

TIME_START = '"TimeCreated":{"#attributes":{"SystemTime":"'
TIME_END = '"}},"EventRecordID":'
BODIES = ("EventData", "UserData")
UNIX_EPOCH = 116_444_736_000_000_000
"""1970 as a FILETIME: in steps of 100 ns since 1601."""
LONGEST_TIME = len(TIME_START) + 40
MOST_SECONDS = (1 << 63) // 10**9
LARGEST = (1 << 63) - 1
INTEGERS = frozenset({"event_id", "qualifiers", "version", "level", "task", "opcode", "process_id", "thread_id"})


KNOWN = 8_192
"""So many heads and tails are known from one file to the next, none longer than `LONGEST_KNOWN`: some megabytes."""
LONGEST_KNOWN = 1_024


class Unreadable(Exception):
    """The library gave a text for a record that cannot be taken as an event."""


class Events:
    """Collects events and turns them into one table.

    The System element is cut out of the text at its time and its record id. What stands before and after is
    nearly always text seen already, if not in this file then in one before it, so it is parsed once and looked up
    from then on; equal text means equal values. An event that cannot be cut so is parsed as a whole.
    """

    def __init__(self) -> None:
        self._head_codes: dict[str, int] = {}
        self._tail_codes: dict[str, int] = {}
        self._heads: list[tuple[Any, ...]] = []
        self._tails: list[tuple[Any, ...]] = []
        self._codes_of_heads: list[int] = []
        self._codes_of_tails: list[int] = []
        self._times: list[str | None] = []
        self._record_ids: list[int | str | None] = []
        self._kinds: list[str | None] = []
        self._payloads: list[str | None] = []
        self._messages: dict[int, str | None] = {}
        self._mapped = MappedColumns()
        self._groups = self._mapped.groups
        self.text_size = 0

    def __len__(self) -> int:
        return len(self._payloads)

    def add(self, text: str) -> None:
        """Take one event as the library's JSON text; raises Unreadable, and takes nothing, if it is no event."""
        if not self._add_cut(text):
            try:
                self._add_whole(text)
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                raise Unreadable(f"the library's text of it is no event: {error}") from error
        self.text_size += len(text)

    def replace_last_payload(self, payload: str) -> None:
        """Put another payload in the place of the one taken last."""
        self._payloads[-1] = payload

    def _add_cut(self, text: str) -> bool:
        """Take an event of the ordinary shape; says no, and takes nothing, if the text has another."""
        time_at = text.find(TIME_START)
        time_end = text.find(TIME_END, time_at)
        id_at = time_end + len(TIME_END)
        id_end = text.find(",", id_at, id_at + 24)
        body_at = text.find('},"EventData":', id_end)
        kind, payload_at = "EventData", body_at + 14
        if body_at < 0:
            body_at = text.find('},"UserData":', id_end)
            kind, payload_at = "UserData", body_at + 13
        if time_at < 0 or not 0 < time_end - time_at < LONGEST_TIME or id_end < 0 or body_at < 0:
            return False
        payload = text[payload_at:-2]
        try:
            record_id = int(text[id_at:id_end])
            body = orjson.loads(payload)
            head = text[:time_at]
            head_code = self._head_codes.get(head)
            if head_code is None:
                head_code = self._learn_head(head)
            tail = text[id_end:body_at]
            tail_code = self._tail_codes.get(tail)
            if tail_code is None:
                tail_code = self._learn_tail(tail)
        except ValueError:
            return False
        if type(body) is dict and len(body) != payload.count('":') and count_names(body) != payload.count('":'):
            kept, repeats = loads_with_repeats(payload)
            payload = orjson.dumps(kept).decode() if repeats else payload
        elif type(body) is str:
            payload = '"' + body
        group = self._groups.get((self._tails[tail_code][4], self._heads[head_code][2]))
        if group is not None and type(body) is dict:
            group[0].append(len(self._payloads))
            group[1].append(body)
        self._codes_of_heads.append(head_code)
        self._codes_of_tails.append(tail_code)
        self._times.append(text[time_at + len(TIME_START) : time_end])
        self._record_ids.append(record_id if record_id <= LARGEST else None)
        self._kinds.append(kind)
        self._payloads.append(payload if body is not None else None)
        return True

    def _learn_head(self, head: str) -> int:
        """Number the text before the time; ValueError unless it ends inside System."""
        self._heads.append(_known_head(head) if len(head) <= LONGEST_KNOWN else _parse_head(head))
        self._head_codes[head] = len(self._heads) - 1
        return len(self._heads) - 1

    def _learn_tail(self, tail: str) -> int:
        """Number the text after the record id; ValueError unless it ends where System ends."""
        self._tails.append(_known_tail(tail) if len(tail) <= LONGEST_KNOWN else _parse_tail(tail))
        self._tail_codes[tail] = len(self._tails) - 1
        return len(self._tails) - 1

    def _add_whole(self, text: str) -> None:
        event = loads_with_repeats(text)[0].get("Event")
        event = event if isinstance(event, dict) else {"Event": event}
        system = event.get("System")
        system = system if isinstance(system, dict) else {}
        bodies = {name: value for name, value in event.items() if name not in ("System", "#attributes")}
        payload = next(iter(bodies.values())) if len(bodies) == 1 else bodies or None
        payload_text = _as_cell(payload)
        head, tail = head_of(system), tail_of(system)
        row = len(self._payloads)
        rendering = bodies.get("RenderingInfo")
        if isinstance(rendering, dict):
            self._messages[row] = text_of(rendering.get("Message"))
        body: dict[str, Any] = next((bodies[name] for name in BODIES if isinstance(bodies.get(name), dict)), {})
        group = self._groups.get((tail[4], head[2]))
        if group is not None:
            group[0].append(row)
            group[1].append(body)
        self._codes_of_heads.append(len(self._heads))
        self._codes_of_tails.append(len(self._tails))
        self._heads.append(head)
        self._tails.append(tail)
        self._times.append(text_of(attributes(system, "TimeCreated").get("SystemTime")))
        self._record_ids.append(integer(system.get("EventRecordID")))
        self._kinds.append("+".join(bodies) or None)
        self._payloads.append(payload_text)

    def columns(self, filetimes: np.ndarray) -> dict[str, pa.Array]:
        """The columns of all events added; `filetimes` are the times in their record headers."""
        heads = _take(HEAD, self._heads, self._codes_of_heads)
        tails = _take(TAIL, self._tails, self._codes_of_tails)
        columns = {"time_created": exact_times(self._times, filetimes), **heads, **tails}
        columns["record_id"] = pa.array(self._record_ids, pa.int64())
        columns["payload_kind"] = pa.array(self._kinds, pa.string())
        columns["payload"] = pa.array(self._payloads, pa.string())
        columns |= self._mapped.columns(len(self))
        messages = pa.array(self._messages.values(), pa.string())
        columns["message"] = scatter([(list(self._messages), messages)] if messages else [], len(self), pa.string())
        return columns


def _parse_head(head: str) -> tuple[Any, ...]:
    top = orjson.loads(head.removesuffix(",") + "}}}")
    if list(top) != ["Event"] or list(top["Event"])[-1] != "System" or not isinstance(top["Event"]["System"], dict):
        raise ValueError("the text before the time is not the first half of System")
    return head_of(top["Event"]["System"])


def _parse_tail(tail: str) -> tuple[Any, ...]:
    return tail_of(orjson.loads("{" + tail.removeprefix(",") + "}"))


_known_head = lru_cache(maxsize=KNOWN)(_parse_head)
_known_tail = lru_cache(maxsize=KNOWN)(_parse_tail)


def _as_cell(value: Any) -> str | None:
    """A JSON value as a cell of a tagged column: see `sdk.emit.FIELD_ENCODING`."""
    if value is None or isinstance(value, str):
        return '"' + value if value is not None else None
    return orjson.dumps(value).decode()


def _take(names: tuple[str, ...], rows: list[tuple[Any, ...]], codes: list[int]) -> dict[str, pa.Array]:
    indices = pa.array(codes, pa.int32())
    kinds = [pa.int64() if name in INTEGERS else pa.string() for name in names]
    return {
        name: pa.array(values, kind).take(indices)
        for name, values, kind in zip(names, zip(*rows, strict=True), kinds, strict=True)
    }


def exact_times(texts: list[str | None], filetimes: np.ndarray) -> pa.Array:
    """Times in nanoseconds. The text has microseconds; where the record header agrees, its 100 ns digit is added.

    A FILETIME of 0 means that no time was written: null, as is what 64 bits of nanoseconds cannot hold.
    """
    micros = _parse_times(texts).cast(pa.int64())
    is_null = micros.is_null().to_numpy(zero_copy_only=False)
    micros = micros.fill_null(0).to_numpy()
    is_null |= np.abs(micros) >= MOST_SECONDS * 10**6
    since_1970 = filetimes - UNIX_EPOCH
    nanos = np.where(is_null, 0, micros) * 1000
    agrees = since_1970 // 10 == micros
    nanos[agrees] += since_1970[agrees] % 10 * 100
    return pa.array(nanos, mask=is_null).cast(pa.timestamp("ns", "UTC"))


def _parse_times(texts: list[str | None]) -> pa.Array:
    """Times as written by the library; one that is no time is null."""
    kind = pa.timestamp("us", "UTC")
    try:
        return pc.cast(pa.array(texts, pa.string()), kind)
    except pa.ArrowInvalid:
        return pa.chunked_array([_parse_time(text, kind) for text in texts]).combine_chunks()


def _parse_time(text: str | None, kind: pa.DataType) -> pa.Array:
    try:
        return pc.cast(pa.array([text], pa.string()), kind)
    except pa.ArrowInvalid:
        return pa.nulls(1, kind)
