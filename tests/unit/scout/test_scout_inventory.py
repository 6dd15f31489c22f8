from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from casparian_flow.scout import walk as walk_module
from casparian_flow.scout.sources import find_or_add_source, set_ignore_rules
from casparian_flow.store.database import Database
from scout_builders import Scouted


def test_a_first_scan_lists_everything_as_dirty(database: Database, evidence: Path) -> None:
    (evidence / "a.csv").write_bytes(b"x")
    scouted = Scouted(database, evidence)
    report = scouted.scan()
    row = scouted.files()[b"a.csv"]
    assert (report.entries, report.new) == (1, 1)
    assert (row.kind, row.size, row.is_dirty, row.version_id) == ("file", 1, True, None)


def test_an_unchanged_scan_writes_no_location(database: Database, evidence: Path) -> None:
    for number in range(50):
        (evidence / f"{number}").touch()
    scouted = Scouted(database, evidence)
    first = scouted.scan()
    again = scouted.scan()
    written = database.connection.execute(text("SELECT DISTINCT last_scan_id FROM scout_locations")).scalars().all()
    assert (again.new, again.changed, again.missing) == (0, 0, 0)
    assert written == [first.scan_id]


def test_a_file_that_is_gone_is_missing_and_keeps_its_version(database: Database, evidence: Path) -> None:
    (evidence / "a").write_bytes(b"x")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    before = scouted.files()[b"a"]
    (evidence / "a").unlink()
    assert scouted.scan().missing == 1
    after = scouted.files()[b"a"]
    assert after.is_missing
    assert after.version_id == before.version_id
    assert scouted.scan().missing == 0


def test_everything_below_a_removed_folder_is_missing(database: Database, evidence: Path) -> None:
    (evidence / "d" / "e").mkdir(parents=True)
    (evidence / "d" / "e" / "f").touch()
    (evidence / "d-x").touch()
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    shutil.rmtree(evidence / "d")
    assert scouted.scan().missing == 1
    assert {path: row.is_missing for path, row in scouted.files().items()} == {b"d-x": False, b"d/e/f": True}


def test_nothing_is_concluded_below_a_folder_that_could_not_be_listed(
    database: Database, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("bad/deep/a", "bad.txt", "bad/b", "good/c"):
        (evidence / name).parent.mkdir(parents=True, exist_ok=True)
        (evidence / name).touch()
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    real = os.scandir

    def failing(path: bytes) -> object:
        if path.endswith(b"/bad/"):
            raise OSError(5, "Input/output error")
        return real(path)

    (evidence / "good" / "c").unlink()
    monkeypatch.setattr(walk_module.os, "scandir", failing)
    report = scouted.scan()
    monkeypatch.undo()
    assert report.unreadable == ["bad/"]
    assert report.missing == 1
    rows = scouted.files()
    assert rows[b"bad/"].problem == "cannot be listed: Input/output error"
    assert not rows[b"bad/b"].is_missing
    assert not rows[b"bad/deep/a"].is_missing
    assert rows[b"good/c"].is_missing
    scouted.scan()
    assert b"bad/" not in scouted.files()


def test_a_source_that_is_not_there_loses_nothing(database: Database, evidence: Path) -> None:
    (evidence / "a").touch()
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    evidence.rename(evidence.with_name("away"))
    assert scouted.scan().unreadable == ["./"]
    assert not scouted.files()[b"a"].is_missing


def test_a_file_that_comes_back_unchanged_is_not_read_again(database: Database, evidence: Path, tmp_path: Path) -> None:
    (evidence / "d").mkdir()
    (evidence / "d" / "a").write_bytes(b"x")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    (evidence / "d").rename(tmp_path / "aside")
    scouted.scan()
    (tmp_path / "aside").rename(evidence / "d")
    assert scouted.scan().returned == 1
    row = scouted.files()[b"d/a"]
    assert (row.is_missing, row.is_dirty) == (False, False)


def test_a_rename_is_recognised_and_confirmed_by_the_hash(database: Database, evidence: Path) -> None:
    (evidence / "old").write_bytes(b"same")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    old = scouted.files()[b"old"]
    (evidence / "old").rename(evidence / "new")
    assert scouted.scan().renamed == 1
    scouted.tag()
    [found] = database.connection.execute(text("SELECT renamed_from FROM scout_locations WHERE display = 'new'"))
    assert found[0] == old.location_id
    assert scouted.files()[b"new"].source_hash == old.source_hash


def test_a_supposed_rename_with_other_bytes_is_taken_back(database: Database, evidence: Path) -> None:
    path = evidence / "old"
    path.write_bytes(b"same")
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    path.rename(evidence / "new")
    assert scouted.scan().renamed == 1
    (evidence / "new").write_bytes(b"els.")
    scouted.tag()
    [found] = database.connection.execute(text("SELECT renamed_from FROM scout_locations WHERE display = 'new'"))
    assert found[0] is None


def test_a_rewrite_that_restores_size_and_time_is_noticed(database: Database, evidence: Path) -> None:
    path = evidence / "a"
    path.write_bytes(b"one")
    seen = path.stat()
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    path.write_bytes(b"two")
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert path.stat().st_mtime_ns == seen.st_mtime_ns
    scouted.scan()
    assert scouted.files()[b"a"].is_dirty
    assert scouted.tag().new_versions == 1


def test_a_folder_that_becomes_ignored_keeps_its_files_unselected(database: Database, evidence: Path) -> None:
    (evidence / "d").mkdir()
    (evidence / "d" / "a").touch()
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    with database.transaction() as connection:
        set_ignore_rules(connection, scouted.source.id, "d/\n")
    scouted.scan()
    assert {path: row.kind for path, row in scouted.files().items()} == {b"d/": "ignored", b"d/a": "ignored"}
    with database.transaction() as connection:
        set_ignore_rules(connection, scouted.source.id, "")
    scouted.scan()
    assert {path: row.kind for path, row in scouted.files().items()} == {b"d/a": "file"}


def test_one_file_as_a_source_leaves_its_neighbours_alone(database: Database, evidence: Path) -> None:
    (evidence / "a").touch()
    (evidence / "b").touch()
    scouted = Scouted(database, evidence / "a")
    scouted.scan()
    assert list(scouted.files()) == [b"a"]
    (evidence / "a").unlink()
    assert scouted.scan().missing == 1


def test_a_source_is_found_again_and_an_overlap_is_told(database: Database, evidence: Path) -> None:
    (evidence / "d").mkdir()
    first = Scouted(database, evidence)
    assert Scouted(database, evidence).source == first.source
    inner = Scouted(database, evidence / "d")
    assert "overlaps source 1" in inner.warnings[0]
    with database.transaction() as connection:
        assert find_or_add_source(connection, evidence / "d", 2)[1] == []


def test_two_files_of_a_folder_share_nothing_and_their_folder_shares_both(database: Database, evidence: Path) -> None:
    for name in ("a", "b"):
        (evidence / name).touch()
    with database.transaction() as connection:
        warnings = [find_or_add_source(connection, evidence / name, 1)[1] for name in ("a", "b", ".")]
    assert warnings[:2] == [[], []]
    assert ["overlaps source 1" in warnings[2][0], "overlaps source 2" in warnings[2][1]] == [True, True]
    (evidence / "c").touch()
    with database.transaction() as connection:
        inner = find_or_add_source(connection, evidence / "c", 2)[1]
    assert len(inner) == 1
    assert "overlaps source 3" in inner[0]


def test_an_interrupted_scan_is_finished_by_the_next(
    database: Database, evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1", "b/2", "c/3"):
        (evidence / name).parent.mkdir()
        (evidence / name).touch()
    scouted = Scouted(database, evidence)

    def interrupted(path: bytes) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(walk_module.os, "scandir", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scouted.scan()
    monkeypatch.undo()
    assert scouted.scan().new == 3
    finished = database.connection.execute(text("SELECT finished_at_ns FROM scout_scans ORDER BY id")).scalars().all()
    assert finished == [None, 1]
