"""The order of frames: what may follow what, and what must agree."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core.errors import (
    CasparianError,
    ParserInvalid,
    ParserRaised,
    ParserRefused,
    ParserReserved,
    ParserTransient,
)
from casparian_flow.guest.wire import Kind
from casparian_flow.worker import stream as stream_module
from casparian_flow.worker.events import Batch, Began, Ended, Event, Raised
from casparian_flow.worker.frames import BrokenFrame, Frame
from casparian_flow.worker.stream import Stream

ROWS = pa.record_batch({"a": [1, 2]})


def a_frame(kind: Kind, body: bytes = b"", /, **head: Any) -> Frame:
    return Frame(kind, json.dumps(head).encode(), pa.py_buffer(body))


HELLO = a_frame(Kind.HELLO, protocol=3, python="3.11.7")
SCHEMA = a_frame(Kind.SCHEMA, ROWS.schema.serialize().to_pybytes(), output="x")
BATCH = a_frame(Kind.BATCH, ROWS.serialize().to_pybytes(), schema=0, rows=2, source_row=False, start=False, end=False)
BYE = a_frame(Kind.BYE)


def begin(job: int) -> Frame:
    return a_frame(Kind.BEGIN, job=job)


def end(job: int, **counts: int) -> Frame:
    return a_frame(Kind.END, job=job, counts=counts)


def failed(job: int, kind: str = "raised") -> Frame:
    return a_frame(Kind.FAILED, job=job, kind=kind, message="no", where="p.py:3 in parse", trace="a\n b")


def rejected(**changes: Any) -> Frame:
    head: dict[str, Any] = {"output": "x", "code": "c", "message": "m", "start": None, "end": None}
    return a_frame(Kind.REJECTED, **(head | {"locator": None, "source_row": None, "has_raw": False} | changes))


def play(*frames: Frame, jobs: tuple[int, ...] = (1,)) -> list[Event]:
    stream = Stream("sample", jobs)
    return [event for one in frames if (event := stream.accept(one, 0)) is not None]


def test_a_whole_stream_gives_its_events_in_order() -> None:
    events = play(
        HELLO,
        begin(1),
        SCHEMA,
        BATCH,
        rejected(),
        end(1, x=3),
        begin(2),
        failed(2),
        begin(3),
        end(3),
        BYE,
        jobs=(1, 2, 3),
    )
    assert [type(event).__name__ for event in events] == [
        "Began", "Batch", "RejectedRecord", "Ended", "Began", "Raised", "Began", "Ended",
    ]  # fmt: skip
    assert isinstance(events[1], Batch)
    assert events[1].batch.equals(ROWS) and events[1].frame_bytes == BATCH.body.size
    assert events[3] == Ended(1, {"x": 3}, 0)


@pytest.mark.parametrize(
    "frames",
    [
        (begin(1),),
        (HELLO, HELLO),
        (a_frame(Kind.HELLO, protocol=1, python="3"),),
        (HELLO, begin(2)),
        (HELLO, begin(1), begin(1)),
        (HELLO, SCHEMA),
        (HELLO, BYE),
        (HELLO, begin(1), BYE),
        (HELLO, begin(1), BATCH),
        (HELLO, begin(1), end(2)),
        (HELLO, begin(1), failed(2)),
        (HELLO, begin(1), failed(1, "else")),
        (HELLO, begin(1), end(1), BYE, BYE),
        (HELLO, begin(1), SCHEMA, BATCH, end(1, x=1)),
        (HELLO, begin(1), SCHEMA, BATCH, end(1, x=2, y=1)),
        (HELLO, begin(1), SCHEMA, BATCH, end(1)),
        (HELLO, begin(1), end(1, x=-1)),
        (HELLO, begin(1), rejected(start=5, end=2)),
        (HELLO, begin(1), rejected(source_row=1 << 63)),
        (HELLO, begin(1), rejected(output="x" * 201)),
        (HELLO, begin(1), rejected(more=1)),
        (HELLO, begin(1), Frame(Kind.END, b"\xff{", pa.py_buffer(b""))),
        (HELLO, begin(1), Frame(Kind.END, b"[" * 100_000, pa.py_buffer(b""))),
    ],
)
def test_what_may_not_come_is_refused(frames: tuple[Frame, ...]) -> None:
    with pytest.raises(BrokenFrame):
        play(*frames)


def test_schemas_are_capped_in_number_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_SCHEMAS", 2)
    with pytest.raises(BrokenFrame, match="too many"):
        play(HELLO, begin(1), SCHEMA, SCHEMA, SCHEMA)
    monkeypatch.setattr(stream_module, "MAX_SCHEMA_BYTES", 10)
    with pytest.raises(BrokenFrame, match="too many"):
        play(HELLO, begin(1), SCHEMA)


def test_outputs_are_capped_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "MAX_OUTPUTS", 2)
    with pytest.raises(BrokenFrame, match="outputs"):
        play(HELLO, begin(1), *(rejected(output=f"x{at}") for at in range(3)))


def test_reserved_outputs_are_refused_as_such() -> None:
    with pytest.raises(ParserReserved):
        play(HELLO, begin(1), rejected(output="_cf_commits"))
    with pytest.raises(ParserReserved):
        play(HELLO, begin(1), a_frame(Kind.SCHEMA, ROWS.schema.serialize().to_pybytes(), output="_CF_commits"))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("permanent", ParserRefused),
        ("transient", ParserTransient),
        ("raised", ParserRaised),
        ("bad-yield", ParserRaised),
        ("reserved-column", ParserReserved),
        ("invalid", ParserInvalid),
    ],
)
def test_each_kind_of_failure_is_an_error_of_its_own(kind: str, error: type[CasparianError]) -> None:
    _, raised = play(HELLO, begin(1), failed(1, kind))
    assert isinstance(raised, Raised)
    assert type(raised.error) is error
    assert (raised.error.message, raised.error.where) == ("sample: no", "p.py:3 in parse")
    assert raised.error.why == "a\n b"


def test_a_death_is_blamed_on_the_job_in_progress_else_on_the_next() -> None:
    stream = Stream("sample", [1, 2])
    assert stream.blamed == 1
    for one in (HELLO, begin(1)):
        stream.accept(one, 0)
    assert (stream.blamed, stream.job) == (1, 1)
    stream.accept(end(1), 0)
    assert (stream.blamed, stream.job) == (2, None)
    for one in (begin(2), end(2)):
        stream.accept(one, 0)
    assert stream.blamed is None
    assert play(HELLO, begin(1)) == [Began(1)]


def test_verdicts_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = a_frame(Kind.VERDICTS, verdicts=[{"name": "n", "value": "v" * 100, "confidence": 0.5, "runner_up": None}])
    monkeypatch.setattr(stream_module, "MAX_VERDICT_BYTES", 3 * len(verdict.head))
    assert len(play(HELLO, begin(1), verdict, verdict, verdict)) == 4
    with pytest.raises(BrokenFrame, match="of verdicts"):
        play(HELLO, begin(1), *[verdict] * 4)
