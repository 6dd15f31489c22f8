"""Events to columns: one pass over the JSON text of each record, then everything at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from evtx_event import HEAD, TAIL, attributes, count_names, head_of, integer, loads_with_repeats, tail_of, text_of
from evtx_maps import Group, MappedColumns, scatter

TIME_START = '"TimeCreated":{"#attributes":{"SystemTime":"'
TIME_END = '"}},"EventRecordID":'
BODIES = ("EventData", "UserData")
EVENT_DATA, USER_DATA = (f'}},"{name}":' for name in BODIES)
UNIX_EPOCH = 116_444_736_000_000_000
"""1970 as a FILETIME: in steps of 100 ns since 1601."""
LONGEST_TIME = 39
MOST_SECONDS = (1 << 63) // 10**9
EVENT_ID_AT, CHANNEL_AT = HEAD.index("event_id"), TAIL.index("channel")
INTEGERS = frozenset({"event_id", "qualifiers", "version", "level", "task", "opcode", "process_id", "thread_id"})


KNOWN = 8_192
"""So many heads and tails are known from one file to the next, none longer than `LONGEST_KNOWN`: some megabytes."""
LONGEST_KNOWN = 1_024


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
        self._maps_of_heads: list[Mapping[str | None, Group] | None] = []
        self._codes_of_heads: list[int] = []
        self._codes_of_tails: list[int] = []
        self._times: list[str | None] = []
        self._record_ids: list[str | None] = []
        self._payloads: list[str | None] = []
        self._messages: dict[int, str | None] = {}
        self._mapped = MappedColumns()
        self.text_size = 0

    def __len__(self) -> int:
        return len(self._payloads)

    def add(self, texts: Sequence[str]) -> list[tuple[int, str]]:
        """Take events as the library's JSON texts; returns which of them are none, left out, and why."""
        unreadable: list[tuple[int, str]] = []
        self.text_size += sum(map(len, texts))
        rest = 0
        while (rest := self._add_cut(texts, rest)) < len(texts):
            try:
                self._add_whole(texts[rest])
            except (ValueError, TypeError, AttributeError, RecursionError) as error:
                unreadable.append((rest, f"the library's text of it is no event: {error}"))
                self.text_size -= len(texts[rest])
            rest += 1
        return unreadable

    def replace_payload(self, row: int, payload: str) -> None:
        """Put another payload in the place of one taken."""
        self._payloads[row] = payload

    def _add_cut(self, texts: Sequence[str], start: int) -> int:
        """Take events of the ordinary shape from `start` on; returns where one is of another, or how many there are.

        This loop is the price of every record, so it calls nothing of its own for what it has seen before.
        """
        head_codes, tail_codes, tails, maps = self._head_codes, self._tail_codes, self._tails, self._maps_of_heads
        payloads, times, record_ids = self._payloads, self._times, self._record_ids
        codes_of_heads, codes_of_tails = self._codes_of_heads, self._codes_of_tails
        for at in range(start, len(texts)):
            text = texts[at]
            head, _, rest = text.partition(TIME_START)
            time, _, rest = rest.partition(TIME_END)
            record_id, _, rest = rest.partition(",")
            tail, kind, body_text = rest.partition(EVENT_DATA)
            if not kind:
                tail, kind, body_text = rest.partition(USER_DATA)
            if not kind or not record_id.isdecimal() or len(time) > LONGEST_TIME:
                return at
            try:
                body_text = body_text[:-2]
                body = orjson.loads(body_text)
                payload: str | None = body_text
                if type(body) is dict:
                    names = body_text.count('":')
                    if len(body) != names and count_names(body) != names:
                        kept, repeats = loads_with_repeats(body_text)
                        payload = orjson.dumps(kept).decode() if repeats else payload
                elif type(body) is str:
                    payload = '"' + body
                elif body is None:
                    payload = None
                head_code = head_codes.get(head)
                if head_code is None:
                    head_code = self._learn_head(head)
                tail += kind
                tail_code = tail_codes.get(tail)
                if tail_code is None:
                    tail_code = self._learn_tail(tail)
            except (ValueError, RecursionError):
                return at
            if (by_channel := maps[head_code]) is not None and type(body) is dict:
                group = by_channel.get(tails[tail_code][CHANNEL_AT])
                if group is not None:
                    group.rows.append(len(payloads))
                    group.values.append(tuple(map(body.get, group.names)))
            payloads.append(payload)
            codes_of_heads.append(head_code)
            codes_of_tails.append(tail_code)
            times.append(time)
            record_ids.append(record_id)
        return len(texts)

    def _learn_head(self, head: str) -> int:
        """Number the text before the time; ValueError unless it ends inside System."""
        code = self._add_head(_known_head(head) if len(head) <= LONGEST_KNOWN else _parse_head(head))
        self._head_codes[head] = code
        return code

    def _add_head(self, values: tuple[Any, ...]) -> int:
        self._heads.append(values)
        self._maps_of_heads.append(self._mapped.of_event(values[EVENT_ID_AT]))
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
        head_code = self._add_head(head)
        group = (self._maps_of_heads[head_code] or {}).get(tail[CHANNEL_AT])
        if group is not None:
            group.rows.append(row)
            group.values.append(tuple(map(body.get, group.names)))
        self._codes_of_heads.append(head_code)
        self._codes_of_tails.append(len(self._tails))
        self._tails.append((*tail, "+".join(bodies) or None))
        self._times.append(text_of(attributes(system, "TimeCreated").get("SystemTime")))
        record_id = integer(system.get("EventRecordID"))
        self._record_ids.append(None if record_id is None else str(record_id))
        self._payloads.append(payload_text)

    def columns(self, filetimes: np.ndarray) -> dict[str, pa.Array]:
        """The columns of all events added; `filetimes` are the times in their record headers."""
        heads = _take(HEAD, self._heads, self._codes_of_heads)
        tails = _take((*TAIL, "payload_kind"), self._tails, self._codes_of_tails)
        columns = {"time_created": exact_times(self._times, filetimes), **heads, **tails}
        columns["record_id"] = _record_ids(self._record_ids)
        columns["payload"] = pa.array(self._payloads, pa.string())
        columns |= self._mapped.columns(len(self))
        messages = pa.array(self._messages.values(), pa.string())
        columns["message"] = scatter([np.array(list(self._messages), np.int32)], messages, len(self))
        return columns


def _parse_head(head: str) -> tuple[Any, ...]:
    top = orjson.loads(head.removesuffix(",") + "}}}")
    if list(top) != ["Event"] or list(top["Event"])[-1] != "System" or not isinstance(top["Event"]["System"], dict):
        raise ValueError("the text before the time is not the first half of System")
    return head_of(top["Event"]["System"])


def _parse_tail(tail: str) -> tuple[Any, ...]:
    kind, end = (BODIES[0], EVENT_DATA) if tail.endswith(EVENT_DATA) else (BODIES[1], USER_DATA)
    return (*tail_of(orjson.loads("{" + tail.removesuffix(end) + "}")), kind)


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


def _record_ids(texts: list[str | None]) -> pa.Array:
    """Record ids as numbers; one that is too large for 64 bits is null."""
    try:
        return pa.array(texts, pa.string()).cast(pa.int64())
    except pa.ArrowInvalid:
        return pa.array([integer(text) for text in texts], pa.int64())


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
