"""What a section puts on the wire: batches of bounded size, few schemas, counts that add up."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pytest

from casparian_flow.core import lineage
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.guest import section as section_module
from casparian_flow.guest.gather import TARGET_BYTES, TARGET_ROWS
from casparian_flow.guest.problems import BadYield, ReservedColumn
from casparian_flow.guest.section import Section
from casparian_flow.guest.wire import HEADER, PROTOCOL, Kind, Wire
from casparian_flow.sdk import Rejected, Rows, Verdict
from casparian_flow.worker.events import Batch, Ended, Event, Noted, RejectedRecord
from casparian_flow.worker.frames import Closed, Frame, FrameReader
from casparian_flow.worker.stream import Stream

FRAME_BYTES = 8 << 20


def events_of(emit: Callable[[Section], None]) -> list[Event]:
    """What the host makes of one section, read through a real socket."""
    return [event for event in (stream_events(emit)) if event is not None]


def stream_events(emit: Callable[[Section], None]) -> list[Event | None]:
    stream = Stream("sample", [1])
    found: list[Event | None] = []
    for frame in frames_of(emit):
        found.append(stream.accept(frame, 0))
    return found


def frames_of(emit: Callable[[Section], None]) -> list[Frame]:
    ours, theirs = socket.socketpair()
    problems: list[BaseException] = []

    def talk() -> None:
        try:
            wire = Wire(theirs.fileno())
            wire.send(Kind.HELLO, {"protocol": PROTOCOL, "python": "3"})
            section = Section(wire, 1, FRAME_BYTES)
            emit(section)
            section.finish()
            section.close()
        except (BadYield, ReservedColumn) as exc:
            problems.append(exc)
        finally:
            theirs.close()

    thread = threading.Thread(target=talk)
    thread.start()
    frames = []
    try:
        reader = FrameReader(ours, FRAME_BYTES)
        while True:
            frame = reader.read()
            assert frame is not None
            frames.append(frame)
    except Closed:
        pass
    finally:
        thread.join()
        ours.close()
    if problems:
        raise problems[0]
    return frames


def batches_of(emit: Callable[[Section], None]) -> list[Batch]:
    return [event for event in events_of(emit) if isinstance(event, Batch)]


def test_small_yields_are_gathered_into_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section_module, "LINGER_SECONDS", math.inf)  # however slow this machine is just now

    def emit(section: Section) -> None:
        for at in range(1000):
            section.emit(("x", [{"n": at}]))

    [batch] = batches_of(emit)
    assert batch.batch["n"].to_pylist() == list(range(1000))


def test_small_arrow_batches_are_gathered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section_module, "LINGER_SECONDS", math.inf)

    def emit(section: Section) -> None:
        for at in range(100):
            section.emit(Rows("x", pa.record_batch({"n": [at]}), source_row=[at + 1]))

    [batch] = batches_of(emit)
    assert batch.batch["n"].to_pylist() == list(range(100))
    assert batch.source_row is not None
    assert batch.source_row.to_pylist() == list(range(1, 101))


def test_a_huge_table_is_sliced_by_rows_and_by_bytes() -> None:
    many = batches_of(lambda section: section.emit(("x", pa.table({"n": range(50_000)}))))
    assert max(event.batch.num_rows for event in many) <= TARGET_ROWS
    assert sum(event.batch.num_rows for event in many) == 50_000
    wide = batches_of(lambda section: section.emit(("x", {"t": ["y" * 100_000] * 100})))
    assert max(event.batch.nbytes for event in wide) <= TARGET_BYTES + 200_000
    assert sum(event.batch.num_rows for event in wide) == 100


def test_slices_that_share_their_memory_count_as_what_each_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section_module, "LINGER_SECONDS", math.inf)
    whole = pa.record_batch({"t": ["y" * 50_000] * 200, "n": range(200)})
    events = batches_of(lambda section: [section.emit(("x", whole.slice(at, 1))) for at in range(200)])
    assert [event.batch.num_rows for event in events] == [42, 42, 42, 42, 32]  # 84 pass 4 MiB: two halves
    assert [n for event in events for n in event.batch["n"].to_pylist()] == list(range(200))


def test_rows_of_uneven_size_are_split_until_each_frame_fits() -> None:
    sizes = [10] * 50 + [3 << 20] * 4
    events = batches_of(lambda section: section.emit(("x", {"t": ["y" * size for size in sizes]})))
    assert [len(t) for event in events for t in event.batch["t"].to_pylist()] == sizes


def test_one_row_beyond_the_frame_limit_is_refused() -> None:
    with pytest.raises(BadYield, match="one row"):
        batches_of(lambda section: section.emit(("x", {"t": ["y" * (FRAME_BYTES + 1)]})))


def test_places_travel_beside_the_rows_through_every_slice() -> None:
    count = 40_000
    rows = Rows(
        "x", {"n": range(count)}, source_row=range(count), start=pa.array(range(count)), end=range(1, count + 1)
    )
    for event in batches_of(lambda section: section.emit(rows)):
        assert event.source_row is not None
        assert event.end is not None
        assert event.source_row.to_pylist() == event.batch["n"].to_pylist()
        assert event.end.to_pylist() == [n + 1 for n in event.batch["n"].to_pylist()]
        assert event.batch.schema.names == ["n"]


def test_places_of_dict_rows_stay_with_their_rows() -> None:
    def emit(section: Section) -> None:
        for at in range(20_000):
            section.emit(Rows("x", [{"n": at}], source_row=[at]))
        section.emit(("x", [{"n": -1}]))

    *known, last = batches_of(emit)
    for event in known:
        assert event.source_row is not None
        assert event.source_row.to_pylist() == event.batch["n"].to_pylist()
    assert last.source_row is None


@pytest.mark.parametrize("place", [[1], [1, None], ["a", "b"], [1, 2**64]])
def test_places_that_do_not_fit_the_data_are_refused(place: list[Any]) -> None:
    with pytest.raises(BadYield):
        batches_of(lambda section: section.emit(Rows("x", {"n": [1, 2]}, source_row=place)))
    with pytest.raises(BadYield):
        batches_of(lambda section: section.emit(Rows("x", [{"n": 1}, {"n": 2}], start=place)))


def test_a_column_that_comes_later_declares_the_schema_again() -> None:
    def emit(section: Section) -> None:
        section.emit(("x", [{"a": 1}] * TARGET_ROWS))
        section.emit(("x", [{"a": 2, "b": "new"}] * TARGET_ROWS))
        section.emit(("x", [{"a": None}] * TARGET_ROWS))

    first, second, third = batches_of(emit)
    assert first.batch.schema.names == ["a"]
    assert second.batch.schema.names == ["a", "b"]
    assert third.batch.schema.equals(second.batch.schema)
    assert third.batch.to_pylist()[0] == {"a": None, "b": None}
    assert sum(frame.kind is Kind.SCHEMA for frame in frames_of(emit)) == 2


def test_schemas_that_never_settle_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section_module, "MAX_SCHEMAS", 5)

    def emit(section: Section) -> None:
        for at in range(10):
            section.emit(("x", {f"column_{at}": [1]}))

    with pytest.raises(BadYield, match="too often"):
        batches_of(emit)


def test_counts_are_rows_and_rejections_per_output() -> None:
    def emit(section: Section) -> None:
        section.emit(("x", [{"a": 1}, {"a": 2}]))
        section.emit(Rejected("x", "cf.csv.arity", "3 fields", start=10, end=20, raw=b"a,b,c", source_row=3))
        section.emit(("empty", []))
        section.emit(Verdict("delimiter", ";", 0.9, ","))

    events = events_of(emit)
    assert RejectedRecord(1, "x", "cf.csv.arity", "3 fields", 10, 20, None, b"a,b,c", 3) in events
    assert Noted(1, (VerdictNote(name="delimiter", value=";", confidence=0.9, runner_up=","),)) in events
    assert events[-1] == Ended(1, {"x": 3, "empty": 0}, 0)


@pytest.mark.parametrize(
    "item",
    [
        Rejected("x", "c", "m", start=1.5),  # type: ignore[arg-type]
        Rejected("x", "c", "m", start=5, end=4),
        Rejected("x", "c", "m", source_row=2**63),
        Verdict("v", "x", float("nan")),
        ("y" * 201, [{"a": 1}]),
        ("\ud800", [{"a": 1}]),
        Rows(7, [{"a": 1}]),  # type: ignore[arg-type]
        ("x", pa.table([[1], [2]], names=["a", "a"])),
    ],
    ids=repr,
)
def test_what_the_host_would_refuse_is_explained_to_the_author(item: Any) -> None:
    with pytest.raises(BadYield):
        events_of(lambda section: section.emit(item))


@pytest.mark.parametrize("item", [("x", [{"_cf_a": 1}]), ("_CF_x", [{"a": 1}]), Rejected("_cf_x", "c", "m")], ids=repr)
def test_reserved_names_are_refused(item: Any) -> None:
    with pytest.raises(ReservedColumn):
        events_of(lambda section: section.emit(item))


def test_guest_and_host_reserve_the_same_namespace() -> None:
    assert section_module.RESERVED_PREFIX == lineage.RESERVED_PREFIX


def test_threads_of_a_parser_may_publish_at_once() -> None:
    def emit(section: Section) -> None:
        def publish(first: int) -> None:
            for at in range(500):
                section.emit((f"x{first % 2}", [{"n": first + at}]))

        threads = [threading.Thread(target=publish, args=(first,)) for first in range(0, 2000, 501)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    found = [n for event in batches_of(emit) for n in event.batch["n"].to_pylist()]
    assert sorted(found) == sorted(first + at for first in range(0, 2000, 501) for at in range(500))


def test_publishing_after_the_end_is_refused() -> None:
    def emit(section: Section) -> None:
        section.finish()
        section.emit(("x", [{"n": 1}]))

    with pytest.raises(BadYield, match="afterwards"):
        batches_of(emit)


def test_a_refusal_that_the_parser_swallows_is_raised_again_at_the_end() -> None:
    def emit(section: Section) -> None:
        with contextlib.suppress(BadYield):
            section.emit(("x", 42))
        section.emit(("x", [{"n": 1}]))

    with pytest.raises(BadYield, match="cannot send a int"):
        batches_of(emit)


def test_outputs_are_capped_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section_module, "MAX_OUTPUTS", 2)

    def emit(section: Section) -> None:
        for at in range(3):
            section.emit((f"x{at}", [{"n": 1}]))

    with pytest.raises(BadYield, match="outputs"):
        batches_of(emit)


def test_waiting_rows_are_sent_once_they_have_waited_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(section_module, "LINGER_SECONDS", 0.0)

    def emit(section: Section) -> None:
        section.emit(("x", [{"a": 1}]))
        section.emit(("x", [{"a": 2}]))

    assert [event.batch.num_rows for event in batches_of(emit)] == [1, 1]


class RecordingWire(Wire):
    """A wire that keeps what it would send: the kinds of frames, and where they leave."""

    def __init__(self, *, has_signed: bool = True) -> None:
        self.sent: list[str] = []
        self._has_signed = has_signed

    def send(self, kind: Kind, head: Mapping[str, Any], body: Sequence[Any] = ()) -> None:
        self.sent.append(f"{kind.name} {head['rows']}" if kind == Kind.BATCH else kind.name)

    def flush(self) -> None:
        self.sent.append("leaves")

    def drain(self) -> None:
        self.flush()


def test_a_parser_that_yields_a_row_a_second_shows_each_at_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter((0.0, 0.1, 1.1, 1.1, 2.1, 2.1))
    monkeypatch.setattr(section_module.time, "monotonic", lambda: next(seconds))
    wire = RecordingWire()
    section = Section(wire, 1, FRAME_BYTES)
    seen = []
    for number in range(3):
        section.emit(("x", [{"n": number}]))
        seen.append(wire.sent.copy())
        wire.sent.clear()
    assert seen == [["BEGIN", "leaves"], ["SCHEMA", "BATCH 2", "leaves"], ["BATCH 1", "leaves"]]


def test_a_small_file_takes_two_writes() -> None:
    wire = RecordingWire()
    section = Section(wire, 1, FRAME_BYTES)
    section.emit(Verdict("encoding", "utf-8"))
    section.emit(("x", [{"n": 1}]))
    section.finish()
    section.close()
    assert wire.sent == ["BEGIN", "leaves", "VERDICTS", "SCHEMA", "BATCH 1", "END", "leaves"]


def test_the_first_thing_that_a_guest_gives_is_heard_of_at_once_and_only_that() -> None:
    wire = RecordingWire(has_signed=False)
    for job in (1, 2):
        section = Section(wire, job, FRAME_BYTES)
        section.emit(("x", [{"n": 1}]))
        section.emit(("x", [{"n": 2}]))
        section.finish()
        section.close()
    rest = ["SCHEMA", "BATCH 2", "END", "leaves"]
    assert wire.sent == ["BEGIN", "leaves", "VERDICTS", "leaves", *rest, "BEGIN", "leaves", *rest]


def test_verdicts_leave_together_before_the_rows_and_rejections_that_follow_them() -> None:
    wire = RecordingWire()
    section = Section(wire, 1, FRAME_BYTES)
    for name in ("encoding", "newline", "delimiter"):
        section.emit(Verdict(name, "x"))
    section.emit(Rejected("x", "cf.csv.arity", "3 fields"))
    section.emit(Verdict("tables", "1"))
    section.fail("raised", "no", "", "")
    assert wire.sent == ["BEGIN", "leaves", "VERDICTS", "REJECTED", "VERDICTS", "FAILED", "leaves"]


def test_any_number_of_the_shortest_verdicts_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casparian_flow.guest.section.LINGER_SECONDS", 60.0)

    def emit(section: Section) -> None:
        for _ in range(17_000):
            section.emit(Verdict("", "", 0.12345678901234567))

    assert sum(len(event.verdicts) for event in events_of(emit) if isinstance(event, Noted)) == 17_000


def test_any_number_of_the_longest_verdicts_arrives_in_order() -> None:
    values = [f"{number:04}" + "\U0001f600" * 4_000 for number in range(20)]

    def emit(section: Section) -> None:
        for value in values:
            section.emit(Verdict(value, value, runner_up=value))

    noted = [note for event in events_of(emit) if isinstance(event, Noted) for note in event.verdicts]
    assert [note.value for note in noted] == values


@pytest.mark.parametrize(
    ("yielded", "sent"),
    [
        ([8_600, 8_600, 8_600], [8_600, 8_600, 8_600]),
        ([20_000], [10_000, 10_000]),
        ([5_000, 5_000, 9_000], [10_000, 9_000]),
        ([1_000] * 17, [16_000, 1_000]),
    ],
)
def test_batches_have_eight_to_sixteen_thousand_rows_and_no_small_rests(yielded: list[int], sent: list[int]) -> None:
    def emit(section: Section) -> None:
        for rows in yielded:
            section.emit(("x", pa.table({"n": range(rows)})))

    assert [event.batch.num_rows for event in batches_of(emit)] == sent


def test_small_frames_are_sent_together() -> None:
    reading, writing = os.pipe()
    wire = Wire(writing)
    wire.send(Kind.BYE, {})
    wire.send(Kind.BYE, {})
    os.set_blocking(reading, False)
    with pytest.raises(BlockingIOError):
        os.read(reading, 100)
    wire.flush()
    assert len(os.read(reading, 100)) == 2 * (HEADER.size + 2)
    os.close(reading)
    os.close(writing)
