"""A disk that goes away at any moment makes no file seem gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.disks import Disks
from tests.scout_builders import Scouted

from casparian_flow.scout import walk
from casparian_flow.scout.entries import describe
from casparian_flow.scout.ground import UNMOUNTED, Ground
from casparian_flow.store import sources as stored
from casparian_flow.store.database import Database
from casparian_flow.store.emptied import disks_away, say_emptied


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disks:
    return Disks(monkeypatch, tmp_path / "shelf")


@pytest.fixture
def inner(evidence: Path) -> Path:
    """A folder of the source with two files, beside one file."""
    inner = evidence / "inner"
    inner.mkdir()
    for name in ("inner/b", "inner/c", "z"):
        (evidence / name).write_bytes(name.encode())
    return inner


def missing(scouted: Scouted) -> set[bytes]:
    rows = scouted.database.driver.execute("SELECT rel_path FROM scout_locations WHERE is_missing").fetchall()
    return {row[0] for row in rows}


def mounts(scouted: Scouted) -> frozenset[bytes]:
    with scouted.database.transaction() as connection:
        return stored.mounts(connection, scouted.source.id)


@pytest.mark.parametrize("is_inner", [False, True])
def test_a_disk_that_goes_between_listing_and_reading_takes_no_file_with_it(
    database: Database, evidence: Path, inner: Path, disks: Disks, is_inner: bool
) -> None:
    disk = inner if is_inner else evidence
    disks.mount(disk)
    scouted = Scouted(database, evidence)
    ground = scouted.ground()
    scouted.scan(ground=ground)
    disks.unmount(disk)
    report = scouted.tag(ground=ground)
    on_disk = {"inner/b", "inner/c"} if is_inner else {"inner/b", "inner/c", "z"}
    assert (report.vanished, {name for name, _ in report.unreadable}) == (0, on_disk)
    assert missing(scouted) == set()
    disks.mount(disk)
    assert (scouted.scan().missing, scouted.tag().read) == (0, len(on_disk))
    assert all(row.problem is None for row in scouted.files().values())


def test_a_folder_that_is_put_in_place_of_another_while_it_is_read_empties_nothing(
    database: Database, evidence: Path, inner: Path
) -> None:
    scouted = Scouted(database, evidence)
    ground = scouted.ground()
    scouted.scan(ground=ground)
    evidence.rename(evidence.with_name("away"))
    evidence.mkdir()
    assert scouted.tag(ground=ground).vanished == 0
    assert scouted.scan().missing == 3  # the next look finds it as it is from its beginning to its end
    assert mounts(scouted) == frozenset()


@pytest.mark.parametrize("is_inner", [False, True])
@pytest.mark.parametrize("moment", [1, 2, 3])
def test_a_disk_that_goes_while_its_folders_are_listed_takes_no_file_with_it(
    database: Database,
    evidence: Path,
    inner: Path,
    disks: Disks,
    monkeypatch: pytest.MonkeyPatch,
    is_inner: bool,
    moment: int,
) -> None:
    disk = inner if is_inner else evidence
    disks.mount(disk)
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    seen = 0

    def describe_or_unmount(*of: bytes) -> object:
        nonlocal seen
        seen += 1
        if seen == moment:
            disks.unmount(disk)
        return describe(*of)

    monkeypatch.setattr(walk, "describe", describe_or_unmount)
    report = scouted.scan(threads=1)
    assert (report.missing, missing(scouted)) == (0, set())
    monkeypatch.undo()


def test_what_lay_on_a_disk_that_is_away_stays_and_the_rest_is_gone(
    database: Database, evidence: Path, inner: Path, disks: Disks
) -> None:
    disks.mount(inner)
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    disks.unmount(inner)
    (evidence / "z").unlink()
    for _ in range(2):
        report = scouted.scan()
        assert report.unreadable == ["inner/"]
        assert missing(scouted) == {b"z"}
    assert scouted.files()[b"inner/"].problem == UNMOUNTED
    disks.mount(inner)
    report = scouted.scan()
    assert (report.unreadable, report.missing, scouted.tag().read) == ([], 1, 0)
    assert missing(scouted) == {b"inner/", b"z"}
    (inner / "b").unlink()
    assert scouted.scan().missing == 1


def test_files_moved_off_a_disk_into_its_folder_are_there_without_it(
    database: Database, evidence: Path, inner: Path, disks: Disks
) -> None:
    disks.mount(inner)
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    assert mounts(scouted) == {b"inner/"}
    disks.unmount(inner)
    (inner / "b").write_bytes(b"new")
    assert scouted.scan().unreadable == ["inner/"]
    (inner / "c").write_bytes(b"inner/c")
    assert scouted.scan().unreadable == []
    assert mounts(scouted) == frozenset()
    (inner / "b").unlink()
    assert scouted.scan().missing == 1


@pytest.mark.parametrize("is_inner", [False, True])
def test_a_person_may_say_that_a_disk_will_not_come_back(
    database: Database, evidence: Path, inner: Path, disks: Disks, is_inner: bool
) -> None:
    disk = inner if is_inner else evidence
    disks.mount(disk)
    scouted = Scouted(database, evidence)
    scouted.scan_and_tag()
    disks.unmount(disk)
    scouted.scan()
    with database.transaction() as connection:
        assert disks_away(connection, scouted.source.id) == [b"inner/" if is_inner else b""]
        say_emptied(connection, scouted.source.id, is_meant=True)
        assert disks_away(connection, scouted.source.id) == []
    scouted.scan()
    assert missing(scouted) == {b"inner/b", b"inner/c"} | ({b"inner/"} if is_inner else {b"./", b"z"})
    assert mounts(scouted) == frozenset()


def test_a_disk_within_a_disk_is_told_apart(evidence: Path, inner: Path, disks: Disks) -> None:
    disks.mount(evidence)
    disks.mount(inner)
    ground = Ground(os.fsencode(evidence), [b"", b"inner/"])
    assert (ground.under(b"inner/b"), ground.under(b"z"), ground.lost()) == (b"inner/", b"", frozenset())
    disks.unmount(inner)
    assert ground.lost() == {b"inner/"}
