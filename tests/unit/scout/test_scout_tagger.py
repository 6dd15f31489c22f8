from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from blake3 import blake3
from sqlalchemy import text

from casparian_flow.core.errors import SourceChanged
from casparian_flow.core.files import Stamp
from casparian_flow.core.hashing import digest_of, digest_of_json
from casparian_flow.scout import hashing
from casparian_flow.scout.hashing import hash_file
from casparian_flow.scout.tagger import is_racy
from casparian_flow.store.database import Database
from casparian_flow.store.files import versions_of
from scout_builders import LATER_NS, Scouted


def test_a_version_names_the_plain_hash_of_the_bytes(database: Database, evidence: Path) -> None:
    (evidence / "a").write_bytes(b"abc")
    (evidence / "empty").touch()
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    rows = scouted.files()
    assert rows[b"a"].source_hash == "blake3:" + blake3(b"abc").hexdigest()
    assert (rows[b"a"].content, rows[b"a"].content_reason, rows[b"a"].is_dirty) == ("text", "3 bytes", False)
    assert rows[b"empty"].source_hash == digest_of(b"")


def test_a_changed_file_gets_a_second_version_and_keeps_the_first(database: Database, evidence: Path) -> None:
    path = evidence / "a"
    path.write_bytes(b"one")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    path.write_bytes(b"two!")
    scouted.scan_and_tag()
    history = versions_of(database.connection, scouted.files()[b"a"].location_id)
    assert [version.size for version in history] == [3, 4]
    assert scouted.files()[b"a"].version_id == history[1].version_id


def test_a_touched_file_with_the_same_bytes_gets_no_version(database: Database, evidence: Path) -> None:
    path = evidence / "a"
    path.write_bytes(b"one")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    os.utime(path, ns=(1, 1))
    scouted.scan()
    report = scouted.tag()
    assert (report.unchanged, report.new_versions) == (1, 0)
    assert not scouted.files()[b"a"].is_dirty


def test_the_same_bytes_are_one_hash_with_two_places(database: Database, evidence: Path) -> None:
    for name in ("a", "b"):
        (evidence / name).write_bytes(b"same")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    assert database.connection.execute(text("SELECT count(*) FROM scout_hashes")).scalar_one() == 1
    found = database.connection.execute(
        text(
            "SELECT l.rel_path FROM scout_locations l JOIN scout_versions v ON v.id = l.current_version_id "
            "WHERE v.source_hash = :hash ORDER BY l.id"
        ),
        {"hash": digest_of(b"same")},
    )
    assert [bytes(path) for (path,) in found] == [b"a", b"b"]


def test_what_changed_within_the_clocks_grain_is_read_again(database: Database, evidence: Path) -> None:
    path = evidence / "a"
    path.write_bytes(b"one")
    scouted = Scouted(database, evidence)
    scouted.scan()
    assert scouted.tag(path.stat().st_ctime_ns + 1_000_000).read == 1
    assert scouted.files()[b"a"].is_dirty
    assert scouted.tag().read == 1
    assert scouted.tag().read == 0


@pytest.mark.parametrize(
    ("ctime", "mtime", "racy"), [(10, 10, True), (7, 7, False), (7, 9, True), (11, 1, True), (7, 99, False)]
)
def test_a_stamp_is_racy_near_the_time_of_reading(ctime: int, mtime: int, racy: bool) -> None:
    second = 1_000_000_000
    assert is_racy(Stamp(1, mtime * second, ctime * second, 1), 10 * second) is racy


def test_a_file_that_grows_while_it_is_read_stays_dirty(
    database: Database, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = evidence / "a"
    path.write_bytes(b"one")
    (evidence / "b").write_bytes(b"calm")
    scouted = Scouted(database, evidence)
    scouted.scan()
    real = os.read

    def growing(descriptor: int, count: int) -> bytes:
        block = real(descriptor, count)
        if block.startswith(b"one"):
            with path.open("ab") as more:
                more.write(b"x")
        return block

    monkeypatch.setattr(hashing.os, "read", growing)
    report = scouted.tag()
    monkeypatch.undo()
    assert report.changing == ["a"]
    assert report.new_versions == 1
    assert scouted.files()[b"a"].version_id is None
    assert scouted.files()[b"a"].problem == "it changed while it was read"
    assert scouted.tag().new_versions == 1
    assert scouted.files()[b"a"].problem is None


def test_a_file_that_vanished_is_missing(database: Database, evidence: Path) -> None:
    (evidence / "a").write_bytes(b"one")
    scouted = Scouted(database, evidence)
    scouted.scan()
    (evidence / "a").unlink()
    assert scouted.tag().vanished == 1
    assert scouted.files() == {}


def test_what_lies_in_a_folder_that_went_away_since_it_was_listed_is_not_missing(
    database: Database, evidence: Path
) -> None:
    (evidence / "a").write_bytes(b"one")
    scouted = Scouted(database, evidence)
    scouted.scan()
    evidence.rename(evidence.with_name("away"))
    report = scouted.tag()
    assert (report.vanished, report.unreadable) == (0, [("a", "its folder cannot be listed")])
    assert not scouted.files()[b"a"].is_missing


def test_nothing_below_a_folder_that_was_not_listed_is_missing(database: Database, evidence: Path) -> None:
    (evidence / "sub").mkdir()
    for name in ("a", "sub/b", "sub.c"):
        (evidence / name).write_bytes(name.encode())
    scouted = Scouted(database, evidence)
    scouted.scan()
    evidence.rename(evidence.with_name("away"))
    scouted.scan()
    evidence.mkdir()  # it is back before the files are read, but empty: as a disk's mount point is
    assert (scouted.tag().vanished, len(scouted.files())) == (0, 4)


def test_a_file_replaced_by_a_pipe_or_link_is_neither_waited_for_nor_followed(evidence: Path) -> None:
    os.mkfifo(evidence / "pipe")
    with pytest.raises(SourceChanged):
        hash_file(os.fsencode(evidence / "pipe"))


def test_one_unreadable_file_stops_nothing_and_says_why(database: Database, evidence: Path) -> None:
    (evidence / "bad").write_bytes(b"x")
    (evidence / "good").write_bytes(b"y")
    scouted = Scouted(database, evidence)
    scouted.scan()
    (evidence / "bad").unlink()
    (evidence / "bad").symlink_to("bad")
    report = scouted.tag()
    [(name, why)] = report.unreadable
    row = scouted.files()[b"bad"]
    assert (name, row.problem) == ("bad", why)
    assert row.kind == "file"
    assert row.is_dirty
    assert scouted.files()[b"good"].version_id is not None


def test_the_sha256_is_kept_when_asked_for(database: Database, evidence: Path) -> None:
    (evidence / "a").write_bytes(b"abc")
    scouted = Scouted(database, evidence)
    scouted.scan()
    scouted.tag(with_sha256=True)
    [version] = versions_of(database.connection, scouted.files()[b"a"].location_id)
    assert version.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_only_the_selection_is_read(database: Database, evidence: Path) -> None:
    (evidence / "a").write_bytes(b"1")
    (evidence / "b").write_bytes(b"2")
    scouted = Scouted(database, evidence)
    scouted.scan()
    assert scouted.tag(selection=[scouted.files()[b"b"].location_id]).read == 1
    assert scouted.files()[b"a"].version_id is None


def test_a_database_and_its_log_are_one_version(database: Database, evidence: Path) -> None:
    path = evidence / "db"
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE t (a)")
    writer.commit()
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    rows = scouted.files()
    main, log = path.read_bytes(), (evidence / "db-wal").read_bytes()
    assert rows[b"db"].source_hash == digest_of_json(
        [["", len(main), digest_of(main)], ["-wal", len(log), digest_of(log)]]
    )
    assert rows[b"db-wal"].part_of == rows[b"db-shm"].part_of == rows[b"db"].location_id
    assert rows[b"db-wal"].version_id is None
    writer.execute("INSERT INTO t VALUES (1)")
    writer.commit()
    assert path.read_bytes() == main
    scouted.scan()
    assert scouted.files()[b"db"].is_dirty
    assert scouted.tag().new_versions == 1
    writer.close()
    scouted.scan_and_tag()
    rows = scouted.files()
    assert rows[b"db"].source_hash == digest_of(path.read_bytes())
    assert len(versions_of(database.connection, rows[b"db"].location_id)) == 3


def test_a_log_beside_what_is_no_database_is_a_file_of_its_own(database: Database, evidence: Path) -> None:
    (evidence / "notes").write_bytes(b"text")
    (evidence / "notes-journal").write_bytes(b"more text")
    scouted = Scouted(database, evidence)
    scouted.scan()
    assert scouted.files()[b"notes-journal"].part_of is not None
    assert scouted.tag(LATER_NS).new_versions == 2
    row = scouted.files()[b"notes-journal"]
    assert row.part_of is None
    assert row.source_hash == digest_of(b"more text")
    assert scouted.scan().changed == 0


def test_a_log_whose_database_is_gone_is_a_file_of_its_own(database: Database, evidence: Path) -> None:
    (evidence / "db").write_bytes(b"SQLite format 3\0 and more")
    (evidence / "db-wal").write_bytes(b"log")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    (evidence / "db").unlink()
    scouted.scan_and_tag()
    row = scouted.files()[b"db-wal"]
    assert row.part_of is None
    assert row.source_hash == digest_of(b"log")
