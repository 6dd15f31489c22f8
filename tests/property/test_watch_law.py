"""Whatever becomes of hints, the last look leaves nothing unknown; and a look at parts sees what a whole scan would."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_filtered_scan import TREES, lay, scouted_folder

from casparian_flow.scout.settle import LONGEST, SECOND_NS, Settle, hold_changed
from casparian_flow.scout.watch import MOST, Timing, Watcher
from casparian_flow.store import settling
from casparian_flow.store.files import FileRow
from scout_builders import Scouted

SOURCE = 1
SETTLE, RECONCILE = 2.0, 60.0
FOLDERS = [b"", b"a/", b"a/b/", b"c/"]


class World:
    """A folder in memory, what a watch knows of it, and hints that may be lost, repeated or late."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.files: dict[bytes, int] = {}
        self.known: dict[bytes, int] = {}
        self.seen: dict[bytes, tuple[int, float, float]] = {}
        """Of files that grow: the state seen last, since when it is so, and since when the file grows."""
        self.late: list[tuple[float, bytes]] = []
        self.state = 0
        self.looks = 0
        self.watcher = Watcher([SOURCE], Timing(settle=SETTLE, reconcile=RECONCILE), self.now)

    def change(self) -> None:
        """One change of the folder, with the hint that it may give."""
        roll = self.random.random()
        paths = sorted(self.files)
        if roll < 0.1 and paths:  # a folder is moved in or out as a whole
            folder = self.random.choice(FOLDERS[1:])
            for path in [path for path in paths if path.startswith(folder)]:
                self.files[b"moved-" + path] = self.files.pop(path)
            self.hint(folder.rstrip(b"/"))
            self.hint(b"moved-" + folder.rstrip(b"/"))
        elif roll < 0.3 and paths:
            path = self.random.choice(paths)
            del self.files[path]
            self.hint(path)
        else:
            path = self.random.choice(FOLDERS) + b"%d" % self.random.randrange(12)
            self.state += 1
            self.files[path] = self.state
            self.hint(path)

    def hint(self, path: bytes) -> None:
        fate = self.random.random()
        if fate < 0.3:
            return  # lost
        for _ in range(self.random.choice((1, 1, 3))):
            self.late.append((self.now + self.random.choice((0.0, 0.1, 5.0, 90.0)), path))

    def look_when_due(self, until: float) -> None:
        """Let the time pass, deliver what is late, and look whenever the watcher says so."""
        while (at := min([self.watcher.due_at(), *(when for when, _ in self.late)])) <= until:
            self.now = max(self.now, at)
            for when, path in [each for each in self.late if each[0] <= self.now]:
                self.late.remove((when, path))
                self.watcher.changed(SOURCE, path, self.now)
            self.look()
        self.now = until

    def look(self) -> None:
        for source, paths in self.watcher.take(self.now).items():
            self.looks += 1
            assert paths is None or len(paths) <= 2 * MOST
            for path in {*self.files, *self.known, *self.seen}:
                if paths is None or any(path == part or path.startswith(part + b"/") for part in paths):
                    self.examine(path)
            waiting = {path: max(since + SETTLE, self.now) for path, (_, since, _) in self.seen.items()}
            self.watcher.looked(source, was_all=paths is None, took=0.01, waiting=waiting, now=self.now)

    def examine(self, path: bytes) -> None:
        state = self.files.get(path)
        if state is None:
            self.known.pop(path, None)
            self.seen.pop(path, None)
            return
        if self.known.get(path) == state:
            self.seen.pop(path, None)
            return
        before, since, grows = self.seen.get(path, (state, self.now, self.now))
        if before != state:
            since = self.now
        self.seen[path] = state, since, grows
        if self.now - since >= SETTLE or self.now - grows >= LONGEST * SETTLE:
            self.known[path] = state
            del self.seen[path]


@pytest.mark.parametrize("seed", range(60))
def test_after_the_last_reconcile_every_file_is_known_as_it_is(seed: int) -> None:
    world = World(seed)
    for _ in range(60):
        world.change()
        world.look_when_due(world.now + world.random.choice((0.05, 0.5, 3.0, 20.0)))
    world.late.clear()  # nothing else is ever heard
    world.look_when_due(world.now + RECONCILE + 2 * SETTLE + 1)
    assert world.known == world.files, f"seed {seed}"


def test_a_watch_where_nothing_happens_looks_once_per_reconcile_time() -> None:
    world = World(0)
    world.look_when_due(100 * RECONCILE)
    assert world.looks == 101


def test_a_file_that_never_holds_still_is_taken_again_and_again() -> None:
    world = World(0)
    world.look_when_due(1.0)
    taken = set()
    for _ in range(2000):
        world.state += 1
        world.files[b"log"] = world.state
        world.late.append((world.now, b"log"))
        world.look_when_due(world.now + 0.1)
        taken.add(world.known.get(b"log"))
    assert 3 <= len(taken - {None}) <= 5
    assert world.looks < 200, "a file that grows is looked at once per settle time"


def test_a_storm_of_hints_is_remembered_in_bounded_memory_and_nothing_of_it_is_lost() -> None:
    world = World(7)
    world.look_when_due(1.0)
    for number in range(5 * MOST):
        path = b"deep/%d/%d" % (number % 40, number)
        world.state += 1
        world.files[path] = world.state
        world.watcher.changed(SOURCE, path, world.now)
    world.look_when_due(world.now + 3 * SETTLE)
    assert world.known == world.files
    assert world.looks < 20


def signs(files: dict[bytes, FileRow]) -> dict[bytes, tuple[object, ...]]:
    return {path: (row.kind, row.size, row.is_missing, row.problem) for path, row in files.items()}


@settings(max_examples=10, deadline=None)
@given(TREES, TREES, st.booleans())
def test_a_look_at_what_changed_sees_what_a_whole_scan_sees(
    before: dict[str, bytes], after: dict[str, bytes], is_coarse: bool
) -> None:
    changed = [name.encode() for name in before.keys() | after.keys()]
    if is_coarse:  # hints may be about the folder above, too
        changed = [path.rpartition(b"/")[0] or path for path in changed]
    found = []
    for parts in (changed, None):
        with scouted_folder() as (root, scouted):
            lay(root, before)
            scouted.scan_and_tag()
            lay(root, after)
            report = scouted.scan(parts=parts)
            found.append((signs(scouted.files()), report.new, report.missing, report.returned))
    assert found[0] == found[1]


class Settling:
    """A real folder watched with a clock of our own."""

    def __init__(self, scouted: Scouted, *, trusts_times: bool = False) -> None:
        self.scouted = scouted
        self.trusts_times = trusts_times

    def look(self, now: float, parts: list[bytes] | None = None) -> list[bytes]:
        """The files that were taken."""
        now_ns = round(now * SECOND_NS)
        settle = Settle(SETTLE, now_ns, trusts_times=self.trusts_times, is_partial=parts is not None)
        before = {path: row.version_id for path, row in self.scouted.files().items()}
        seen = self.scouted.scan(parts=parts)
        hold_changed(self.scouted.database, self.scouted.source.id, seen.scan_id, settle, now_ns)
        self.scouted.tag(settle=settle)
        after = self.scouted.files()
        return [path for path, row in after.items() if row.version_id != before.get(path)]

    def held(self) -> dict[bytes, float]:
        found = settling.held(self.scouted.database.driver, self.scouted.source.id, most=100)
        self.scouted.database.connection.rollback()
        return {each.rel_path: each.settles_at_ns / SECOND_NS for each in found}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_file_is_read_when_two_looks_at_least_the_settle_time_apart_saw_the_same() -> None:
    with scouted_folder() as (root, scouted):
        watch = Settling(scouted)
        write(root / "a.csv", "a")
        assert watch.look(100.0) == []
        assert watch.held() == {b"a.csv": 102.0}
        assert watch.look(101.0) == []
        write(root / "a.csv", "a,b")
        assert watch.look(102.0, [b"a.csv"]) == []
        assert watch.held() == {b"a.csv": 104.0}
        assert watch.look(104.0, [b"a.csv"]) == [b"a.csv"]
        assert watch.held() == {}


def test_a_file_that_never_holds_still_is_read_after_thirty_settle_times() -> None:
    with scouted_folder() as (root, scouted):
        watch = Settling(scouted)
        taken = []
        for step in range(70):
            write(root / "log", "x" * (step + 1))
            if watch.look(100.0 + step, [b"log"]):
                taken.append(step)
        assert taken == [60]


def test_a_database_waits_while_what_stands_beside_it_grows() -> None:
    with scouted_folder() as (root, scouted):
        watch = Settling(scouted)
        (root / "x.db").write_bytes(b"SQLite format 3\0" + bytes(100))
        watch.look(100.0)
        assert watch.look(102.0) == [b"x.db"]
        for step in range(3):
            (root / "x.db-wal").write_bytes(bytes(10 + step))
            assert watch.look(110.0 + step, [b"x.db-wal"]) == []
        assert b"x.db" in watch.held()
        assert watch.look(114.1, [b"x.db", b"x.db-wal"]) == [b"x.db"]


def test_a_file_that_holds_still_by_its_own_times_is_read_at_once_where_they_are_trusted() -> None:
    with scouted_folder() as (root, scouted):
        write(root / "old.csv", "a")
        changed = (root / "old.csv").stat().st_ctime_ns / SECOND_NS
        watch = Settling(scouted, trusts_times=True)
        assert watch.look(changed + 1.0) == []
        assert watch.held()[b"old.csv"] == pytest.approx(changed + SETTLE + 0.02)
        assert watch.look(changed + 2.1, [b"old.csv"]) == [b"old.csv"]
        write(root / "other.csv", "a")
        changed = (root / "other.csv").stat().st_ctime_ns / SECOND_NS
        assert watch.look(changed + 3.0) == [b"other.csv"]


def test_a_file_that_cannot_be_read_or_is_gone_waits_no_longer() -> None:
    with scouted_folder() as (root, scouted):
        watch = Settling(scouted)
        write(root / "gone.csv", "a")
        watch.look(100.0)
        (root / "gone.csv").unlink()
        watch.look(102.0, [b"gone.csv"])
        assert watch.held() == {}
        assert scouted.files() == {}


def test_a_look_at_a_link_or_below_one_never_follows_it(tmp_path: Path) -> None:
    with scouted_folder() as (root, scouted):
        write(tmp_path / "outside" / "x.csv", "secret")
        (root / "link").symlink_to(tmp_path / "outside")
        scouted.scan(parts=[b"link/x.csv"])
        assert list(scouted.files()) == [b"link"]


def test_looks_that_change_nothing_leave_no_trace() -> None:
    with scouted_folder() as (root, scouted):
        write(root / "a.csv", "a")
        scouted.scan_and_tag()
        for parts in ([b"a.csv"], None, [b"none"]):
            assert scouted.scan(parts=parts, keeps_idle=False).is_idle
        count = scouted.database.driver.execute("SELECT count(*) FROM scout_scans").fetchone()
        scouted.database.connection.rollback()
        assert count == (1,)
