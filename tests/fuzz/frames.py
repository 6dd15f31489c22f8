"""The frames of a guest: a hostile process on the other end of the socket can say anything."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pyarrow as pa

from casparian_flow.core.errors import ParserReserved
from casparian_flow.guest.wire import HEADER, MAX_HEAD, PROTOCOL, Kind, frame
from casparian_flow.schema.digest import RowDigest
from casparian_flow.schema.survey import Survey
from casparian_flow.worker.events import Batch, Ended, RejectedRecord
from casparian_flow.worker.frames import BrokenFrame, Closed, Frame, FrameReader
from casparian_flow.worker.stream import Stream

from .target import Change, Target

FRAME_BYTES = 1 << 18
HELD = 4 * MAX_HEAD
"""Most bytes of Arrow memory for one frame in the making and the one before."""
JOBS = (1, 2)


def check(data: bytes) -> None:
    """Nothing but the named errors comes out; what is let through is whole, counted and can be worked with."""
    before = pa.total_allocated_bytes()
    stream = Stream("fuzzed", JOBS)
    emitted = 0
    survey = Survey.empty()
    try:
        for received in frames_of(data):
            event = stream.accept(received, 0)
            assert pa.total_allocated_bytes() - before <= HELD, "more memory is held than a frame may take"
            if isinstance(event, Batch):
                emitted += event.batch.num_rows
                take_in(survey, event)
            elif isinstance(event, RejectedRecord):
                emitted += 1
            elif isinstance(event, Ended):
                assert sum(event.emitted.values()) == emitted, "rows were lost in the stream"
                emitted, survey = 0, Survey.empty()
    except (BrokenFrame, Closed, ParserReserved):
        pass


def take_in(survey: Survey, event: Batch) -> None:
    """What a host does with every batch before anything else."""
    rows = event.batch.num_rows
    event.batch.validate(full=True)
    for place in (event.source_row, event.start, event.end):
        assert place is None or len(place) == rows
    RowDigest().update(event.batch)
    survey.add(event.batch, pa.array(range(1, rows + 1), pa.int64()), "f")


def frames_of(data: bytes) -> Iterator[Frame]:
    """The frames that the reader makes of the bytes, which arrive in three pieces; ends as the reader does."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        reader = FrameReader(ours, FRAME_BYTES)
        cuts = sorted({0, len(data) // 3, min(21, len(data)), len(data)})
        for start, end in pairwise(cuts):
            piece = data[start:end]
            for at in range(0, len(piece), 1 << 14):
                theirs.sendall(piece[at : at + (1 << 14)])
                while (received := reader.read()) is not None:
                    yield received
        theirs.close()
        while (received := reader.read()) is not None:
            yield received


def batch_frames(batch: pa.RecordBatch, number: int, places: Sequence[str] = ()) -> bytes:
    """A batch behind its schema."""
    declared = batch.schema.serialize().to_pybytes()
    columns = pa.array(range(1, batch.num_rows + 1), pa.int64()).buffers()[1].to_pybytes()
    body = batch.serialize().to_pybytes() + columns * len(places)
    head: dict[str, Any] = {"schema": number, "rows": batch.num_rows}
    head |= {name: name in places for name in ("source_row", "start", "end")}
    schema = frame(Kind.SCHEMA, {"output": f"out{number}"}, len(declared)) + declared
    return schema + frame(Kind.BATCH, head, len(body)) + body


def seeds() -> list[bytes]:
    """Whole streams of guests, with every kind of frame and of column."""
    hello = frame(Kind.HELLO, {"protocol": PROTOCOL, "python": "3.11"})
    bye = frame(Kind.BYE, {})
    rejected = {"output": "out0", "code": "c", "message": "m", "start": 1, "end": 4, "locator": None}
    rejected |= {"source_row": 3, "has_raw": True}
    verdict = {"name": "encoding", "value": "utf-8", "confidence": 0.5, "runner_up": None}
    failed = {"job": 2, "kind": "raised", "message": "m", "where": "w", "trace": "t"}
    found = []
    for batch in _batches():
        first = frame(Kind.BEGIN, {"job": 1}) + batch_frames(batch, 0, ("source_row", "start", "end"))
        first += frame(Kind.REJECTED, rejected, 3) + b"raw" + frame(Kind.VERDICTS, {"verdicts": [verdict, verdict]})
        first += frame(Kind.END, {"job": 1, "counts": {"out0": batch.num_rows + 1}})
        second = frame(Kind.BEGIN, {"job": 2}) + batch_frames(batch, 0) + frame(Kind.FAILED, failed)
        found.append(hello + first + second + bye)
    return found


def _batches() -> Iterator[pa.RecordBatch]:
    rows = 5
    columns: dict[str, Sequence[Any]] = {
        "b": [True, None, False, True, None],
        "i": [1, -(2**63), 2**63 - 1, None, 0],
        "f": [1.5, float("nan"), None, -0.0, 5e-324],
        "s": ["", "é\0", None, "1", "2024-01-02"],
        "raw": [b"", b"\xff", None, b"\0", b"x"],
        "list": [[1], [], None, [None, 2], [3]],
        "struct": [{"a": 1, "b": ["x"]}, None, {"a": None, "b": []}, {"a": 2, "b": None}, {"a": 3, "b": ["y"]}],
    }
    whole = pa.RecordBatch.from_pydict(columns)
    yield whole
    for name in columns:
        yield whole.select([name])
    moment = pa.array([0, 1, None, -1, 2**62], pa.int64())
    kinds = {"at": pa.timestamp("ns"), "zoned": pa.timestamp("us", "UTC"), "for": pa.duration("ns")}
    yield pa.record_batch({name: moment.view(kind) for name, kind in kinds.items()})
    yield pa.record_batch({"c": pa.array(["x", "y", "x", None, "y"]).dictionary_encode().cast(pa.string())})
    yield pa.RecordBatch.from_pydict({"empty": pa.nulls(0, pa.string())})
    assert whole.num_rows == rows


def mutate(data: bytes, change: Change, chance: random.Random) -> bytes:
    """Changes whole frames, or what is inside of one, whose lengths then still say what it is."""
    parts = list(_split(data))
    if not parts:
        return change(data)
    at = chance.randrange(len(parts))
    kind, head, body = parts[at]
    match chance.randrange(7):
        case 0:
            parts[at : at + 1] = [parts[at]] * 2
        case 1:
            del parts[at]
        case 2:
            other = chance.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        case 3:
            parts[at] = chance.choice(list(Kind)), head, body
        case 4:
            parts[at] = kind, change(head), body
        case _:
            parts[at] = kind, head, change(body)
    return b"".join(HEADER.pack(kind, len(head), len(body)) + head + body for kind, head, body in parts)


def _split(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    at = 0
    while at + HEADER.size <= len(data):
        kind, head, body = HEADER.unpack_from(data, at)
        at += HEADER.size
        if head + body > len(data) - at:
            return
        yield kind, data[at : at + head], data[at + head : at + head + body]
        at += head + body


TARGET = Target(
    law="only BrokenFrame, Closed and ParserReserved are raised; no more is allocated than a frame may take; "
    "what is let through is valid, can be surveyed and digested, and is counted",
    check=check,
    seeds=seeds,
    mutate=mutate,
)
