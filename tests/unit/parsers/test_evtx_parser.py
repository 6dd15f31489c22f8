"""The event log parser on logs written here, whole and damaged in every way that its codes name."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from casparian_flow.sdk import PermanentError
from evtx_writer import CHUNK, HEADER, RECORDS, T0, Chunk, Element, Event, chunk_of, log_of, logons, seal, three_chunks
from shipped_parser import Parsed, load_shipped_parser, run_parser

parser = load_shipped_parser("windows/evtx")
EVENTS, FILES = "evtx_events", "evtx_files"


@pytest.fixture
def parse(tmp_path: Path):
    def run(data: bytes) -> Parsed:
        path = tmp_path / "log.evtx"
        path.write_bytes(data)
        return run_parser(parser, path)

    return run


def books(parsed: Parsed) -> dict:
    return parsed.rows(FILES)[0]


def damaged(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def offset_of(data: bytes, chunk: int, record: int) -> int:
    """Where a record of a log begins in the file."""
    at = HEADER + chunk * CHUNK + RECORDS
    for _ in range(record):
        at += struct.unpack_from("<I", data, at + 4)[0]
    return at


def test_a_sound_log_gives_every_record_with_its_place(parse) -> None:
    data = three_chunks(5)
    parsed = parse(data)
    assert parsed.places(EVENTS, "source_row") == list(range(1, 16))
    assert parsed.rejected == []
    for start, end in zip(parsed.places(EVENTS, "start"), parsed.places(EVENTS, "end"), strict=True):
        assert data[start : start + 4] == b"**\0\0"
        assert struct.unpack("<I", data[end - 4 : end])[0] == end - start
    row = parsed.rows(EVENTS)[6]
    assert row["event_id"] == 4624 and row["record_id"] == 7 and row["level_name"] == "Information"
    assert row["provider_guid"] == "54849625-5478-4994-A5BA-3E3B0328C30D"
    assert row["user_sid"] == "S-1-5-18" and row["process_id"] == 456 and row["chunk_no"] == 1
    assert row["record_state"] == "live"
    assert books(parsed)["verdict"] == "complete: 15 of 15 records read"


def test_the_declared_columns_are_the_ones_that_come(parse) -> None:
    parsed = parse(three_chunks())
    for output, columns in parser.MANIFEST.outputs.items():
        assert parsed.table(output).column_names == [column.name for column in columns]


def test_times_keep_their_hundred_nanoseconds(parse) -> None:
    parsed = parse(log_of([chunk_of([Event(1, time=T0 + 1234567)])]))
    nanos = parsed.table(EVENTS)["time_created"].cast(pa.int64()).to_pylist()
    assert nanos == [(T0 + 1234567 - 116_444_736_000_000_000) * 100]


def test_a_filetime_of_zero_is_no_time(parse) -> None:
    parsed = parse(log_of([chunk_of([Event(1, time=0), Event(2)])]))
    assert [row["time_created"] is None for row in parsed.rows(EVENTS)] == [True, False]
    assert books(parsed)["first_time"] == books(parsed)["last_time"]


def test_a_forwarded_record_keeps_its_own_id_and_its_place_in_this_log(parse) -> None:
    parsed = parse(log_of([chunk_of([Event(1, record_id=3229)], first=7)]))
    assert parsed.rows(EVENTS)[0]["record_id"] == 3229
    assert parsed.places(EVENTS, "source_row") == [7]


def test_common_columns_are_filled_by_the_maps_and_the_payload_stays_whole(parse) -> None:
    row = parse(log_of([chunk_of(logons(1))])).rows(EVENTS)[0]
    assert row["target_user"] == "CORP\\user1"
    assert row["user_name"] is None, "a dash says that there is none"
    assert row["logon_type"] == 3 and row["remote_ip"] == "10.0.0.1"
    assert json.loads(row["payload"])["SubjectUserName"] == "-"
    assert row["payload_kind"] == "EventData"


def test_maps_hold_for_one_channel_only(parse) -> None:
    row = parse(log_of([chunk_of([replace(logons(1)[0], channel="Application")])])).rows(EVENTS)[0]
    assert row["target_user"] is None and "user1" in row["payload"]


@pytest.mark.parametrize(
    ("event", "kind", "payload"),
    [
        (Event(1), "EventData", None),
        (Event(1, [("b", "1"), ("a", '"q":\\')]), "EventData", {"b": "1", "a": '"q":\\'}),
        (Event(1, [("", "1"), ("", "2")]), "EventData", {"Data": {"#text": ["1", "2"]}}),
        (
            Event(1, [("x", "1"), ("y", "2"), ("x", "3")]),
            "EventData",
            [{"name": "x", "value": "1"}, {"name": "y", "value": "2"}, {"name": "x", "value": "3"}],
        ),
        (
            Event(1, body="UserData", children=(Element("Xml", (), [Element("User", (), ["bob"])]),)),
            "UserData",
            {"Xml": {"User": "bob"}},
        ),
        (
            Event(1, [("", "1"), ("a", "x < y"), ("", "3")]),
            "EventData",
            [{"name": None, "value": "1"}, {"name": "a", "value": "x < y"}, {"name": None, "value": "3"}],
        ),
        (
            Event(1, [("a", "1")], body="ProcessingErrorData"),
            "ProcessingErrorData",
            {"Data": {"#attributes": {"Name": "a"}, "#text": "1"}},
        ),
    ],
)
def test_payloads_of_every_kind_come_whole(parse, event: Event, kind: str, payload: object) -> None:
    row = parse(log_of([chunk_of([event])])).rows(EVENTS)[0]
    assert row["payload_kind"] == kind
    assert (json.loads(row["payload"]) if row["payload"] else None) == payload


def test_a_payload_that_is_only_text_is_a_tagged_cell(parse) -> None:
    parsed = parse(log_of([chunk_of([Event(1, children=('say "hi"',))])]))
    assert parsed.rows(EVENTS)[0]["payload"] == '"say "hi"'
    assert parsed.table(EVENTS).schema.field("payload").metadata == {b"cf.encoding": b"json"}


def test_rendered_text_becomes_the_message_and_stays_in_the_payload(parse) -> None:
    rendering = Element("RenderingInfo", [("Culture", "en-US")], [Element("Message", (), ["It happened."])])
    row = parse(log_of([chunk_of([replace(logons(1)[0], after=(rendering,))])])).rows(EVENTS)[0]
    assert row["message"] == "It happened."
    assert row["payload_kind"] == "EventData+RenderingInfo"
    assert json.loads(row["payload"])["EventData"]["TargetUserName"] == "user1"
    assert row["target_user"] == "CORP\\user1"


def test_the_dirty_flag_is_recorded_and_is_no_damage(parse) -> None:
    parsed = parse(log_of([chunk_of(logons(3))], flags=1))
    assert books(parsed)["dirty"] is True
    assert parsed.rejected == [] and books(parsed)["verdict"].startswith("complete")


def test_chunks_that_the_header_does_not_count_are_read(parse) -> None:
    chunks = [chunk_of(logons(4, 1 + 4 * at), 1 + 4 * at) for at in range(3)]
    parsed = parse(log_of([*chunks, bytes(CHUNK)], flags=1, declared=1))
    assert books(parsed)["records_read"] == 12 and books(parsed)["chunks_unused"] == 1
    assert parsed.rejected == []


def test_a_wrapped_log_has_no_gap(parse) -> None:
    first, second, third = (chunk_of(logons(4, 1 + 4 * at), 1 + 4 * at) for at in range(3))
    parsed = parse(log_of([third, first, second]))
    assert parsed.rejected == [] and books(parsed)["records_expected"] == 12


def test_a_wiped_file_header_costs_no_record(parse) -> None:
    parsed = parse(damaged(three_chunks(5), 0, bytes(HEADER)))
    assert books(parsed)["records_read"] == 15 and books(parsed)["header_ok"] is False
    (entry,) = parsed.rejected
    assert (entry.code, entry.start, entry.end) == ("cf.evtx.header", 0, HEADER)


def test_a_log_without_its_first_block_is_read(parse) -> None:
    parsed = parse(three_chunks(5)[HEADER:])
    assert books(parsed)["records_read"] == 15
    assert parsed.places(EVENTS, "start")[0] == RECORDS


def test_an_overwritten_magic_costs_no_record_if_the_header_proves_the_chunk(parse) -> None:
    parsed = parse(damaged(three_chunks(5), HEADER + CHUNK, b"XXXXXXXX"))
    (entry,) = parsed.rejected
    assert (entry.code, entry.start, entry.end, entry.raw) == (
        "cf.evtx.chunk_magic",
        HEADER + CHUNK,
        HEADER + CHUNK + 8,
        b"X" * 8,
    )
    assert [row["record_state"] for row in parsed.rows(EVENTS)] == ["live"] * 5 + ["recovered"] * 5 + ["live"] * 5


def test_a_chunk_without_magic_and_header_is_one_entry_and_its_records_are_missed(parse) -> None:
    parsed = parse(damaged(three_chunks(5), HEADER + CHUNK, b"X" * 200))
    (entry,) = parsed.rejected
    assert (entry.code, entry.start, entry.end, entry.locator) == (
        "cf.evtx.chunk_magic",
        HEADER + CHUNK,
        HEADER + 2 * CHUNK,
        "chunk 1",
    )
    assert (books(parsed)["records_expected"], books(parsed)["records_read"]) == (15, 10)
    assert books(parsed)["verdict"] == "damaged: 10 of 15 records read; 1 damaged or missing chunks"


def test_a_zeroed_chunk_is_an_entry_and_its_records_are_missed(parse) -> None:
    parsed = parse(damaged(three_chunks(5), HEADER + CHUNK, bytes(CHUNK)))
    (entry,) = parsed.rejected
    assert (entry.code, entry.start, entry.end) == ("cf.evtx.chunk_zeroed", HEADER + CHUNK, HEADER + 2 * CHUNK)
    assert (books(parsed)["records_expected"], books(parsed)["records_read"]) == (15, 10)


def test_neighbouring_zeroed_chunks_share_an_entry(parse) -> None:
    chunks = [chunk_of(logons(2, 1 + 2 * at), 1 + 2 * at) for at in range(4)]
    parsed = parse(log_of([chunks[0], bytes(CHUNK), bytes(CHUNK), chunks[3]]))
    (entry,) = parsed.rejected
    assert entry.locator == "chunks 1 to 2" and entry.end - entry.start == 2 * CHUNK
    assert books(parsed)["records_expected"] == 8


def test_a_missing_chunk_between_sound_ones_is_a_gap_in_the_ids(parse) -> None:
    first, _, third = (chunk_of(logons(5, 1 + 5 * at), 1 + 5 * at) for at in range(3))
    parsed = parse(log_of([first, third]))
    (entry,) = parsed.rejected
    assert entry.code == "cf.evtx.id_gap" and "records 6 to 10" in entry.message
    assert (books(parsed)["records_expected"], books(parsed)["records_read"], books(parsed)["id_gaps"]) == (15, 10, 1)


def test_a_record_hidden_inside_the_one_before_it_is_a_gap_in_the_ids(parse) -> None:
    chunk = Chunk(1)
    places = [chunk.add(event) for event in logons(5)]
    chunk.finish()
    data = bytearray(bytes(chunk.data).ljust(CHUNK, b"\0"))
    swallowed = places[2][1] - places[1][0]
    struct.pack_into("<I", data, places[1][0] + 4, swallowed)
    struct.pack_into("<I", data, places[2][1] - 4, swallowed)
    parsed = parse(log_of([seal(bytes(data), 1, 5, 1, 5, chunk.last_offset, len(chunk.data))]))
    assert parsed.places(EVENTS, "source_row") == [1, 2, 4, 5]
    assert parsed.codes == {"cf.evtx.id_gap": 1}
    assert books(parsed)["records_expected"] == 5


@pytest.mark.parametrize("kept", [20, 600, 3000, 40000])
def test_a_file_cut_inside_a_chunk_keeps_what_is_whole(parse, kept: int) -> None:
    whole = log_of([chunk_of(logons(200, 1 + 200 * at), 1 + 200 * at) for at in range(2)])
    cut = whole[: HEADER + CHUNK + kept]
    parsed = parse(cut)
    ends = [end for end in (offset_of(whole, 1, at) for at in range(1, 201)) if end <= len(cut)]
    assert parsed.places(EVENTS, "source_row") == list(range(1, 201 + len(ends)))
    assert parsed.rejected_as("cf.evtx.truncated") == parsed.rejected and len(parsed.rejected) == 1
    assert parsed.rejected[0].end == len(cut)
    assert parsed.rejected[0].start == (ends[-1] if ends else HEADER + CHUNK + (RECORDS if kept > RECORDS else 0))
    assert books(parsed)["records_expected"] == (400 if kept > RECORDS else 200)


def test_a_file_cut_behind_the_last_record_has_lost_nothing(parse) -> None:
    parsed = parse(three_chunks(5)[: HEADER + 2 * CHUNK + 10_000])
    assert parsed.rejected == [] and books(parsed)["verdict"] == "complete: 15 of 15 records read"


def test_records_behind_the_last_sound_chunk_are_missed_by_the_file_header(parse) -> None:
    parsed = parse(damaged(three_chunks(5), HEADER + 2 * CHUNK, bytes(CHUNK)))
    assert (books(parsed)["records_expected"], books(parsed)["records_read"]) == (15, 10)


def test_chunks_that_the_header_counts_and_the_file_lacks_are_an_entry(parse) -> None:
    parsed = parse(log_of([chunk_of(logons(3))], declared=4))
    (entry,) = parsed.rejected
    assert (entry.code, entry.locator) == ("cf.evtx.truncated", "chunks 1 to 3")
    assert books(parsed)["chunks_bad"] == 3


def test_a_record_without_size_costs_only_itself(parse) -> None:
    data = three_chunks(5)
    at = offset_of(data, 1, 2)
    size = struct.unpack_from("<I", data, at + 4)[0]
    parsed = parse(damaged(data, at + 4, bytes(4)))
    assert parsed.places(EVENTS, "source_row") == [*range(1, 8), *range(9, 16)]
    (entry,) = parsed.rejected_as("cf.evtx.record")
    assert (entry.start, entry.end) == (at, at + size)
    assert entry.raw is not None and entry.raw[8:16] == struct.pack("<Q", 8)
    assert parsed.codes == {"cf.evtx.record": 1, "cf.evtx.chunk_crc": 1}
    assert (books(parsed)["records_expected"], books(parsed)["records_read"]) == (15, 14)


def test_a_record_with_unreadable_content_costs_only_itself(parse) -> None:
    data = three_chunks(5)
    at = offset_of(data, 1, 3)
    parsed = parse(damaged(data, at + 24, b"\xff" * 8))
    assert parsed.places(EVENTS, "source_row") == [*range(1, 9), *range(10, 16)]
    (entry,) = parsed.rejected_as("cf.evtx.record")
    assert entry.start == at and "record 9 " in entry.message
    assert {row["record_state"] for row in parsed.rows(EVENTS) if row["chunk_no"] == 1} == {"unverified"}


def test_records_under_a_bad_checksum_are_kept_and_marked(parse) -> None:
    data = three_chunks(5)
    at = data.index("10.0.0.8".encode("utf-16-le"))
    parsed = parse(damaged(data, at, "66.6".encode("utf-16-le")))
    assert books(parsed)["records_read"] == 15 and books(parsed)["crc_bad"] == 1
    (entry,) = parsed.rejected
    assert (entry.code, entry.start, entry.end) == ("cf.evtx.chunk_crc", HEADER + CHUNK + 8, HEADER + CHUNK + 128)
    assert [row["record_state"] for row in parsed.rows(EVENTS)][5] == "unverified"


def test_a_chunk_with_a_ruined_header_is_read_by_its_records(parse) -> None:
    parsed = parse(damaged(three_chunks(5), HEADER + CHUNK + 8, b"\xee" * 100))
    assert parsed.places(EVENTS, "source_row") == list(range(1, 16))
    assert parsed.codes == {"cf.evtx.chunk_crc": 1}
    assert books(parsed)["records_expected"] == 15


def test_records_of_an_earlier_round_behind_the_free_space_are_not_invented(parse) -> None:
    old, new = chunk_of(logons(40, 1), 1), Chunk(100)
    for event in logons(3, 100):
        new.add(event)
    free = len(new.data)
    chunk = seal(bytes(new.data) + old[free:], 100, 102, 100, 102, new.last_offset, free)
    assert parse(log_of([chunk])).places(EVENTS, "source_row") == [100, 101, 102]
    ruined = parse(log_of([damaged(chunk, 8, b"\xee" * 40)]))
    assert ruined.places(EVENTS, "source_row") == [100, 101, 102]


def test_checksums_that_were_never_written_are_not_missed(parse) -> None:
    chunk = bytearray(chunk_of(logons(3)))
    struct.pack_into("<I", chunk, 52, 0)
    struct.pack_into("<II", chunk, 120, 5, 0)
    parsed = parse(log_of([bytes(chunk)]))
    assert parsed.rejected == [] and books(parsed)["records_read"] == 3


def test_a_log_without_records_is_complete(parse) -> None:
    parsed = parse(log_of([]))
    assert parsed.outputs() == [FILES]
    assert books(parsed)["verdict"] == "complete: 0 of 0 records read"


@pytest.mark.parametrize("data", [b"", b"no event log", b"\0" * 200_000, b"PK\x03\x04" * 50_000])
def test_what_is_no_event_log_is_refused(parse, data: bytes) -> None:
    with pytest.raises(PermanentError, match=r"empty|not an event log"):
        parse(data)


def test_many_small_batches_give_the_same_rows(parse, monkeypatch: pytest.MonkeyPatch) -> None:
    data = log_of([chunk_of(logons(20, 1 + 20 * at), 1 + 20 * at) for at in range(5)])
    whole = parse(data)
    limits = parser.EventLog.read.__globals__
    monkeypatch.setitem(limits, "CHUNKS_AT_ONCE", 2)
    monkeypatch.setitem(limits, "ROWS_AT_ONCE", 30)
    parts = parse(data)
    assert len([rows for rows in parts.batches if rows.output == EVENTS]) > 1
    assert parts.table(EVENTS).equals(whole.table(EVENTS))
    assert parts.places(EVENTS, "start") == whole.places(EVENTS, "start")


def test_events_of_both_kinds_in_one_chunk_keep_their_own_payloads(parse) -> None:
    events = [Event(1, [("a", "1")]), Event(2, [("", "2")]), Event(3, [("b", "3"), ("", "4")]), Event(4, [("a", "5")])]
    payloads = [json.loads(row["payload"]) for row in parse(log_of([chunk_of(events)])).rows(EVENTS)]
    assert payloads == [
        {"a": "1"},
        {"Data": {"#text": "2"}},
        [{"name": "b", "value": "3"}, {"name": None, "value": "4"}],
        {"a": "5"},
    ]


def test_kinds_of_data_in_neighbouring_chunks_are_not_taken_for_one_event(parse) -> None:
    """Unlike those of one event, which the library does not read whole."""
    plain, named, both = Event(1, [("", "2")]), Event(2, [("a", "1")]), Event(3, [("b", "3"), ("", "4")])
    chunks = [chunk_of([event, event], 1 + 2 * at) for at, event in enumerate([plain, named] * 9 + [both, plain])]
    payloads = [json.loads(row["payload"]) for row in parse(log_of(chunks)).rows(EVENTS)]
    wholes = [{"Data": {"#text": "2"}}] * 2 + [{"a": "1"}] * 2
    assert payloads == wholes * 9 + [[{"name": "b", "value": "3"}, {"name": None, "value": "4"}]] * 2 + wholes[:2]


def test_one_broken_chunk_among_many_costs_its_own_records_only(parse) -> None:
    data = log_of([chunk_of(logons(5, 1 + 5 * at), 1 + 5 * at) for at in range(20)])
    for broken in (0, 15, 16, 19):
        at = offset_of(data, broken, 2)
        parsed = parse(damaged(data, at, b"\xff\xff\xff\xff"))
        lost = 1 + 5 * broken + 2
        assert parsed.places(EVENTS, "source_row") == [each for each in range(1, 101) if each != lost]
        spoiled = [row["chunk_no"] for row in parsed.rows(EVENTS) if row["record_state"] != "live"]
        assert spoiled == [broken] * 4
        assert all(entry.locator == f"chunk {broken}" for entry in parsed.rejected)


def test_a_record_id_beyond_64_bits_is_none_and_costs_no_other(parse) -> None:
    events = [Event(1, record_id=7), Event(2, record_id=(1 << 63) + 5), Event(3, record_id=(1 << 63) - 1)]
    rows = parse(log_of([chunk_of(events)])).rows(EVENTS)
    assert [row["record_id"] for row in rows] == [7, None, (1 << 63) - 1]
