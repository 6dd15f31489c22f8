"""One job's section of the stream: what the parser emits, checked, gathered and sent."""

from __future__ import annotations

import operator
import threading
import time
from functools import partial
from typing import Any

import pyarrow as pa

from casparian_flow.guest.gather import Gatherer
from casparian_flow.guest.pieces import Piece, presence
from casparian_flow.guest.problems import BadYield, ReservedColumn
from casparian_flow.guest.wire import (
    MAX_COLUMNS,
    MAX_HEAD,
    MAX_OUTPUT_NAME,
    MAX_OUTPUTS,
    MAX_RAW,
    MAX_SCHEMAS,
    PLACES,
    Kind,
    Wire,
)
from casparian_flow.sdk.emit import Rejected, Rows, Verdict

LINGER_SECONDS = 0.25
"""Longest that rows stay here while the parser goes on yielding."""
MAX_WAITING = 64
"""Most outputs that hold rows back at once."""
MAX_NOTED = 1 << 14
"""Characters of verdicts that may wait; however they are escaped, the head of their frame has room for them."""
NOTE_SIZE = 100
"""What a verdict takes besides its texts, in characters."""
RESERVED_PREFIX = "_cf_"
MAX_TEXT = 4_096


class Section:
    """Takes what a parser emits, from any of its threads.

    Memory is bounded by a few batches, whatever the parser emits in all.
    """

    def __init__(self, wire: Wire, job: int, frame_bytes: int) -> None:
        self._wire = wire
        self._job = job
        self._frame_bytes = frame_bytes
        self._gatherers: dict[str, Gatherer] = {}
        self._waiting: set[str] = set()
        self._noted: list[dict[str, Any]] = []
        self._noted_size = 0
        self._counts: dict[str, int] = {}
        self._schemas: dict[str, list[tuple[int, pa.Schema]]] = {}
        self._declared = 0
        self._flushed = time.monotonic()
        self._lock = threading.RLock()
        self._is_open = True
        self._broken: Exception | None = None
        wire.send(Kind.BEGIN, {"job": job})
        wire.flush()

    def emit(self, item: Any) -> None:
        """Take one item that a parser yielded or published; raises BadYield or ReservedColumn.

        A parser may catch these where it publishes, but then `finish` raises again: no row is lost unseen.
        """
        with self._lock:
            if not self._is_open:
                raise BadYield("a parser publishes while its file is parsed, not afterwards")
            try:
                self._take(item)
                self._wire.sign()
                if time.monotonic() - self._flushed >= LINGER_SECONDS or len(self._waiting) > MAX_WAITING:
                    self._flush()
            except Exception as exc:
                self._broken = exc
                raise

    def finish(self) -> None:
        """Frame everything that waits; raises what an earlier `emit` raised, and BadYield if it cannot be sent.

        It leaves with the section's end: a small file costs one write besides that of its beginning, a guest one more
        for its first sign.
        """
        with self._lock:
            self._is_open = False
            if self._broken is not None:
                raise self._broken
            self._frame()

    def close(self) -> None:
        """Close the section with its counts; `finish` comes before."""
        self._wire.send(Kind.END, {"job": self._job, "counts": self._counts})
        self._wire.drain()

    def fail(self, kind: str, message: str, where: str, trace: str) -> None:
        """Close the section as failed; rows that wait are dropped."""
        head = {
            "job": self._job,
            "kind": kind,
            "message": clean(message),
            "where": clean(where),
            "trace": clean(trace, 4 * MAX_TEXT),
        }
        with self._lock:
            self._is_open = False
            self._send_verdicts()
            self._wire.send(Kind.FAILED, head)
            self._wire.drain()

    def _take(self, item: Any) -> None:
        if isinstance(item, Rejected):
            self._reject(item)
        elif isinstance(item, Verdict):
            self._note(item)
        elif isinstance(item, Rows):
            self._add(item)
        elif isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str):
            self._add(Rows(item[0], item[1]))
        else:
            size = f" of {len(item)}" if isinstance(item, tuple) else ""
            raise BadYield(
                f"a parser yields (output, data), Rows, Rejected or Verdict, not a {type(item).__name__}{size}"
            )

    def _frame(self) -> None:
        self._send_verdicts()
        for output in sorted(self._waiting):
            self._gatherers[output].flush()
        self._waiting.clear()

    def _flush(self) -> None:
        self._frame()
        self._wire.flush()
        self._flushed = time.monotonic()

    def _count(self, output: Any, rows: int) -> None:
        if output not in self._counts:
            _check_output(output)
            if len(self._counts) == MAX_OUTPUTS:
                raise BadYield(f"more than {MAX_OUTPUTS} outputs in one file")
        self._counts[output] = self._counts.get(output, 0) + rows

    def _add(self, rows: Rows) -> None:
        self._count(rows.output, 0)
        if rows.output not in self._gatherers:
            self._gatherers[rows.output] = Gatherer(partial(self._send, rows.output))
        self._waiting.add(rows.output)
        self._gatherers[rows.output].add(rows)

    def _reject(self, item: Rejected) -> None:
        self._count(item.output, 1)
        head = {
            "output": item.output,
            "code": clean(item.code),
            "message": clean(item.message),
            "start": _int64("start", item.start),
            "end": _int64("end", item.end),
            "locator": None if item.locator is None else clean(item.locator),
            "source_row": _int64("source_row", item.source_row),
            "has_raw": item.raw is not None,
        }
        if item.start is not None and item.end is not None and item.start > item.end:
            raise BadYield(f"a rejected record starts at {item.start}, after its end {item.end}")
        self._send_verdicts()
        self._wire.send(Kind.REJECTED, head, [b"" if item.raw is None else bytes(item.raw[:MAX_RAW])])

    def _note(self, item: Verdict) -> None:
        confidence = float(item.confidence)
        if not 0.0 <= confidence <= 1.0:
            raise BadYield(f"the confidence of a verdict lies between 0 and 1, not at {confidence}")
        name, value = clean(item.name), clean(item.value)
        runner_up = None if item.runner_up is None else clean(item.runner_up)
        self._noted.append({"name": name, "value": value, "confidence": confidence, "runner_up": runner_up})
        self._noted_size += NOTE_SIZE + len(name) + len(value) + len(runner_up or "")
        if self._noted_size >= MAX_NOTED:
            self._send_verdicts()

    def _send_verdicts(self) -> None:
        if self._noted:
            self._wire.send(Kind.VERDICTS, {"verdicts": self._noted})
            self._noted, self._noted_size = [], 0

    def _send(self, output: str, piece: Piece) -> None:
        schema = self._schema_number(output, piece.batch.schema)
        body = piece.batch.serialize()
        rows = piece.batch.num_rows
        places = [place for place in piece.places if place is not None]
        if body.size + 8 * rows * len(places) > self._frame_bytes:
            if rows < 2:
                raise BadYield(f"one row of {output!r} takes {body.size} bytes; {self._frame_bytes} is the most")
            self._send(output, piece.slice(0, rows // 2))
            self._send(output, piece.slice(rows // 2, rows - rows // 2))
            return
        self._count(output, rows)
        head = {"schema": schema, "rows": rows, **dict(zip(PLACES, presence(piece.places), strict=True))}
        self._wire.send(Kind.BATCH, head, [body, *map(_values, places)])

    def _schema_number(self, output: str, schema: pa.Schema) -> int:
        for number, known in self._schemas.setdefault(output, []):
            if known is schema or known.equals(schema, check_metadata=True):
                return number
        _check_names(output, schema.names)
        if self._declared == MAX_SCHEMAS:
            raise BadYield(f"the columns change too often: {MAX_SCHEMAS} different sets of columns in one file")
        body = schema.serialize()
        if body.size > MAX_HEAD:
            raise BadYield(f"the names of {output!r}'s columns take {body.size} bytes; {MAX_HEAD} is the most")
        self._wire.send(Kind.SCHEMA, {"output": output}, [body])
        self._schemas[output].append((self._declared, schema))
        self._declared += 1
        return self._declared - 1


def _check_output(output: Any) -> None:
    if not isinstance(output, str):
        raise BadYield(f"an output's name is text, not a {type(output).__name__}")
    if output.casefold().startswith(RESERVED_PREFIX):
        raise ReservedColumn(f"the output {output!r} lies in the reserved namespace {RESERVED_PREFIX}")
    if len(output) > MAX_OUTPUT_NAME or clean(output) != output:
        raise BadYield(f"an output's name is valid Unicode of at most {MAX_OUTPUT_NAME} characters: {output[:50]!r}")


def _int64(name: str, value: Any) -> int | None:
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError as exc:
        raise BadYield(f"{name} of a rejected record is a whole number, not a {type(value).__name__}") from exc
    if not -(1 << 63) <= number < 1 << 63:
        raise BadYield(f"{name} of a rejected record does not fit into 64 bits: {number}")
    return number


def _check_names(output: str, names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise BadYield(f"output {output!r} has {len(names)} columns; {MAX_COLUMNS} is the most")
    if reserved := [name for name in names if name.casefold().startswith(RESERVED_PREFIX)]:
        raise ReservedColumn(f"output {output!r} has columns of the reserved namespace: {', '.join(reserved)}")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BadYield(f"output {output!r} has several columns of one name: {', '.join(twice)}")


def _values(place: pa.Array) -> bytes:
    """A copy, since the parser may use its arrays again before they are sent."""
    start = 8 * place.offset
    return bytes(memoryview(place.buffers()[1])[start : start + 8 * len(place)])


def clean(text: object, most: int = MAX_TEXT) -> str:
    """The end of a text of any origin, as valid Unicode."""
    if type(text) is str and text.isascii():
        return text[-most:]
    return str(text).encode("utf-8", "backslashreplace").decode()[-most:]
