from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.errors import InvariantBroken, VerificationFailed
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.checkpoint import BYTES_PER_ENTRY, CHECKPOINT_EVERY, checkpoint_numbers, is_checkpoint_due
from casparian_flow.sinks.durable import is_temporary, put_if_absent
from casparian_flow.sinks.layout import TableFolder, table_folder
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRows, entry_bytes, parse_entry, removed_jobs_of
from casparian_flow.sinks.sealed_json import open_json, seal_json
from casparian_flow.sinks.uri import open_sink
from sink_builders import DIGEST, a_batch, commit, permitted, sealed


@pytest.fixture
def sink(tmp_path: Path) -> Sink:
    return open_sink(f"parquet://{tmp_path}")


@pytest.fixture
def folder(tmp_path: Path) -> TableFolder:
    return table_folder(tmp_path, Role.ACCEPTED, "events")


def an_entry(**changes: Any) -> Entry:
    jobs = (JobRows(job=1, rows=2), JobRows(job=2, rows=0))
    values: dict[str, Any] = {
        "table": "events",
        "role": Role.ACCEPTED,
        "seq": 1,
        "action": EntryAction.APPEND,
        "contract_version": 1,
        "schema_hash": DIGEST,
        "adds": (AddedFile(name="v1/events_1.1.0.parquet", size=10, digest=DIGEST, rows=2, jobs=jobs),),
    }
    return Entry(**values | changes)


def test_the_bytes_of_an_entry_are_canonical_json() -> None:
    data = entry_bytes(an_entry())

    assert data == entry_bytes(an_entry())
    whole = json.loads(data)
    assert whole["body"]["adds"][0]["jobs"] == [{"job": 1, "rows": 2}, {"job": 2, "rows": 0}]
    assert data == json.dumps(whole, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_an_entry_that_older_programs_would_misread_is_of_a_format_they_refuse() -> None:
    plain, partly = an_entry(removed_jobs=(3,)), an_entry(removed_jobs=(2,))
    assert [open_json(entry_bytes(entry), "here")["version"] for entry in (plain, partly)] == [1, 2]
    assert parse_entry(entry_bytes(partly), "here") == partly
    for entry, version in ((plain, 2), (partly, 1), (plain, 3)):
        body = open_json(entry_bytes(entry), "here")
        with pytest.raises(VerificationFailed, match="cannot be understood"):
            parse_entry(seal_json(body | {"version": version}), "here")


@pytest.mark.parametrize("removed", [(), (7,), (3, 2**63 - 1)])
def test_what_an_entry_takes_away_is_read_without_the_rest_of_it(removed: tuple[int, ...]) -> None:
    data = entry_bytes(an_entry(removed_jobs=removed))
    assert removed_jobs_of(data, "log") == parse_entry(data, "log").removed_jobs == removed
    with pytest.raises(VerificationFailed):
        removed_jobs_of(data.replace(b'"seq":', b'"sep":'), "log")
    with pytest.raises(VerificationFailed):
        removed_jobs_of(seal_json({"removes": {"jobs": ["7"]}}), "log")


def test_every_altered_or_missing_byte_is_noticed() -> None:
    data = entry_bytes(an_entry())

    for at in range(len(data)):
        for damaged in (data[:at], data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]):
            with pytest.raises(VerificationFailed) as caught:
                parse_entry(damaged, "/log/1.json")
            assert caught.value.where == "/log/1.json"


def _without_role(body: dict[str, Any]) -> None:
    del body["role"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_without_role, "role"),
        (lambda body: body.update(version=2), "format"),
        (lambda body: body.update(extra=1), "extra"),
        (lambda body: body.update(seq=0), "start at 1"),
        (lambda body: body.update(seq=True), "number"),
        (lambda body: body.update(seq=1.0), "number"),
        (lambda body: body.update(seq=2**63), "number"),
        (lambda body: body.update(kind="merge"), "merge"),
        (lambda body: body.update(table="../x"), "cannot name a table"),
        (lambda body: body.update(adds={}), "list"),
        (lambda body: body["adds"].append("x"), "object"),
        (lambda body: body["adds"].append(body["adds"][0]), "twice"),
        (lambda body: body["adds"][0].update(name="../../x.parquet"), "not a data file"),
        (lambda body: body["adds"][0].update(name="v1/other_1.1.0.parquet"), "not a data file"),
        (lambda body: body["adds"][0].update(name=None), "text"),
        (lambda body: body["adds"][0].update(rows=3), "account"),
        (lambda body: body["adds"][0].update(jobs=[]), "no job"),
        (lambda body: body["removes"].update(jobs=[-1]), "number"),
        (lambda body: body["removes"].update(files=["/etc/passwd"]), "not a data file"),
    ],
)
def test_an_entry_that_makes_no_sense_is_refused_with_the_reason(change: Any, why: str) -> None:
    body = open_json(entry_bytes(an_entry()), "")
    change(body)

    with pytest.raises(VerificationFailed) as caught:
        parse_entry(seal_json(body), "/log/1.json")

    assert why in caught.value.why
    assert caught.value.where == "/log/1.json"


@pytest.mark.parametrize("body", [[], None, 1, "x", {"removes": 1}, [[[]]]])
def test_other_json_is_refused(body: Any) -> None:
    with pytest.raises(VerificationFailed):
        parse_entry(seal_json(body), "")


def test_json_that_nests_without_end_is_refused() -> None:
    deep = b"[" * 100_000
    with pytest.raises(VerificationFailed):
        open_json(b'{"body":' + deep + b',"digest":"' + digest_of(deep).encode() + b'"}\n', "")


def test_nobody_can_make_an_entry_whose_rows_do_not_add_up() -> None:
    with pytest.raises(InvariantBroken, match="not valid"):
        an_entry(adds=(AddedFile(name="v1/events_1.1.0.parquet", size=1, digest=DIGEST, rows=1, jobs=()),))


def test_a_torn_entry_stops_readers_and_names_the_file(sink: Sink, folder: TableFolder) -> None:
    commit(sink, 1, 1)
    commit(sink, 2, 2)
    folder.entry(2).write_bytes(folder.entry(2).read_bytes()[:-20])

    with pytest.raises(VerificationFailed) as caught:
        sink.snapshot("events", Role.ACCEPTED)

    assert caught.value.where == str(folder.entry(2))
    assert sink.snapshot("events", Role.ACCEPTED, as_of=1).rows == 3


def test_an_entry_of_another_place_is_not_believed(sink: Sink, folder: TableFolder) -> None:
    commit(sink, 1, 1)
    folder.entry(2).write_bytes(folder.entry(1).read_bytes())

    with pytest.raises(VerificationFailed, match="belongs elsewhere"):
        sink.snapshot("events", Role.ACCEPTED)


def test_a_damaged_log_stops_a_sweep_before_it_removes_anything(sink: Sink, folder: TableFolder) -> None:
    commit(sink, 1, 1)
    sealed(sink, 2, [a_batch()])
    before = sorted(folder.path.rglob("*.parquet"))
    folder.entry(1).write_bytes(b"{}")

    with pytest.raises(VerificationFailed):
        sink.sweep([])

    assert sorted(folder.path.rglob("*.parquet")) == before


def test_a_commit_whose_file_is_gone_or_changed_does_not_become_visible(sink: Sink, folder: TableFolder) -> None:
    output = sealed(sink, 1, [a_batch()])
    path = folder.path / output.files[0].name
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(VerificationFailed, match="not as it was sealed"):
        sink.promote([permitted(output, 1, 1)])
    path.unlink()
    with pytest.raises(VerificationFailed, match="not as it was sealed"):
        sink.promote([permitted(output, 1, 1)])

    assert sink.tables(Role.ACCEPTED) == []


def test_rows_that_are_removed_in_one_file_only_are_never_shown_silently(sink: Sink, folder: TableFolder) -> None:
    shared = sealed(sink, 1, [a_batch([1, 2])])
    file = shared.files[0]
    both = AddedFile(
        name=file.name,
        size=file.size,
        digest=file.digest,
        rows=2,
        jobs=(JobRows(job=1, rows=1), JobRows(job=9, rows=1)),
    )
    folder.log.mkdir(parents=True)
    folder.entry(1).write_bytes(entry_bytes(an_entry(adds=(both,))))
    folder.entry(2).write_bytes(entry_bytes(an_entry(seq=2, adds=(), removed_jobs=(1,))))
    assert sink.snapshot("events", Role.ACCEPTED).removed_jobs == (1,)

    again = AddedFile(name="v1/events_1.2.0.parquet", size=1, digest=DIGEST, rows=1, jobs=(JobRows(job=1, rows=1),))
    folder.entry(3).write_bytes(entry_bytes(an_entry(seq=3, adds=(again,))))

    with pytest.raises(VerificationFailed, match="both removed and visible"):
        sink.snapshot("events", Role.ACCEPTED)


def test_checkpoints_come_every_hundred_entries(sink: Sink, folder: TableFolder) -> None:
    output = sealed(sink, 1, [a_batch()])
    for seq in range(1, 2 * CHECKPOINT_EVERY + 1):
        sink.promote([permitted(output, seq, 1)])

    assert checkpoint_numbers(folder) == [CHECKPOINT_EVERY, 2 * CHECKPOINT_EVERY]
    for path in folder.log.iterdir():
        path.unlink()
    assert sink.snapshot("events", Role.ACCEPTED).seq == 2 * CHECKPOINT_EVERY


def test_large_checkpoints_come_further_apart(folder: TableFolder) -> None:
    assert not is_checkpoint_due(folder, CHECKPOINT_EVERY // 2 - 1)
    assert is_checkpoint_due(folder, CHECKPOINT_EVERY)
    folder.checkpoints.mkdir(parents=True)
    folder.checkpoint(CHECKPOINT_EVERY).write_bytes(bytes(1000 * BYTES_PER_ENTRY))

    assert not is_checkpoint_due(folder, CHECKPOINT_EVERY + 999)
    assert is_checkpoint_due(folder, CHECKPOINT_EVERY + 1000)


def test_of_many_writers_of_one_name_exactly_one_creates_it(tmp_path: Path) -> None:
    path = tmp_path / f"{1:020}.json"
    won: list[int] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        if put_if_absent(path, b"%d" % number * 1000):
            won.append(number)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(won) == 1
    assert path.read_bytes() == b"%d" % won[0] * 1000
    assert list(tmp_path.iterdir()) == [path]


def test_a_sweep_that_takes_a_temporary_name_does_not_stop_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, taken = os.link, []

    def link(source: Path, target: Path) -> None:
        if not taken:
            taken.append(source.name)
            source.unlink()
        real(source, target)

    monkeypatch.setattr(os, "link", link)

    assert put_if_absent(tmp_path / f"{1:020}.json", b"x")
    assert is_temporary(taken[0])


def test_leftover_temporary_names_are_swept(sink: Sink, folder: TableFolder) -> None:
    commit(sink, 1, 1)
    left = folder.log / f".{2:020}.json.{'a' * 16}.tmp"
    left.write_bytes(b"{")

    sink.sweep([])

    assert not left.exists()


def test_a_folder_explains_itself(sink: Sink, folder: TableFolder) -> None:
    commit(sink, 1, 1)

    text = folder.readme.read_text()

    assert "_cf/log" in text
    assert "Do not read it with a pattern" in text
