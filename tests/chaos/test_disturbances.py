"""One fault each, at a moment that is chosen: the disk is full, everybody is told to end, a drain is cut short."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from product import Product

from .crew import Served, a_crew, end_outpost, wait_for
from .processes import send
from .trial import Scene, run_trial

pytestmark = pytest.mark.slow
COMMITTING = "SELECT 1 FROM cf_jobs WHERE state = 'committing'"


def begin(scene: Scene) -> None:
    """Have both folders read, and return when work is under way."""
    scene.storm.submit()
    scene.storm.submit_odd()
    running = "SELECT 1 FROM cf_jobs WHERE state IN ('running', 'committing', 'completed')"
    wait_for(lambda: scene.crew.product.asked(running), "no job ever ran")


def everybody_is_told_to_end(scene: Scene) -> None:
    begin(scene)
    crew = scene.crew
    everybody = [*crew.worker_pids(), *crew.guest_pids(), crew.pid]
    for pid in everybody:
        send(pid, signal.SIGTERM)
    wait_for(lambda: not crew.has_sentinel(), "the sentinel stays", 60)
    for outpost in crew.outposts.values():
        end_outpost(outpost)
    wait_for(lambda: all(each.poll() is not None for each in crew.outposts.values()), "a worker stays", 60)
    assert not (crew.product.home / "sentinel.json").exists()
    crew.mend()


def a_drain_is_cut_short(scene: Scene) -> None:
    begin(scene)
    stop = scene.crew.product.start("stop", "--drain")
    wait_for(lambda: "sentinel.was_asked" in scene.crew.log.read_text(), "nobody heard of it")
    send(scene.crew.pid, signal.SIGKILL)
    _, err = stop.communicate(timeout=60)
    assert "Traceback" not in err
    scene.crew.sentinel.wait()  # type: ignore[union-attr]
    scene.crew.mend()


def the_sentinel_dies_between_permit_and_record(scene: Scene) -> None:
    begin(scene)
    for _ in range(2):
        until = time.monotonic() + 10
        while not scene.crew.product.asked(COMMITTING) and time.monotonic() < until:
            time.sleep(0.001)
        send(scene.crew.pid, signal.SIGKILL)
        scene.crew.sentinel.wait()  # type: ignore[union-attr]
        scene.crew.mend()
        scene.storm.submit()
        scene.corpus.change()


def workers_die_between_permit_and_conclusion(scene: Scene) -> None:
    begin(scene)
    for _ in range(2):
        until = time.monotonic() + 10
        while not scene.crew.product.asked(COMMITTING) and time.monotonic() < until:
            time.sleep(0.001)
        for pid in scene.crew.worker_pids():
            send(pid, signal.SIGKILL)
        scene.crew.mend()
        scene.storm.submit()
        scene.corpus.change()


def a_watch_round_is_cut_short(scene: Scene) -> None:
    begin(scene)
    where = [word for sink in scene.storm.sinks for word in ("--sink", sink)]
    words = ("run", str(scene.corpus.plain), "--watch", "--settle", "0.2", "--reconcile", "2", *where)
    watching = scene.crew.product.start(*words)
    try:
        wait_for(lambda: scene.crew.product.asked("SELECT 1 FROM cf_watches"), "nobody watches")
        for _ in range(2):
            scene.corpus.change()
            time.sleep(1)
            send(scene.crew.pid, signal.SIGKILL)
            scene.crew.sentinel.wait()  # type: ignore[union-attr]
            scene.crew.mend()
    finally:
        watching.kill()
        watching.communicate()
    for (watch,) in scene.crew.product.asked("SELECT id FROM cf_watches"):
        scene.crew.product("watch", "remove", str(watch), "--yes", expect=[0])


DISTURBANCES = (
    everybody_is_told_to_end,
    a_drain_is_cut_short,
    the_sentinel_dies_between_permit_and_record,
    workers_die_between_permit_and_conclusion,
    a_watch_round_is_cut_short,
)


def test_a_service_gets_over_whatever_ends_it_in_the_middle(tmp_path: Path) -> None:
    def one_after_another(scene: Scene) -> None:
        for disturb in DISTURBANCES:
            scene.storm.tell(disturb.__name__)
            scene.corpus.change()
            disturb(scene)

    run_trial(tmp_path, 5, one_after_another, schemes=("parquet", "sqlite"), files=3, tell=print)


@contextmanager
def a_small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own; skips the test, with the reason, where that is not permitted."""
    place.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"this machine mounts no small disk: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes every byte that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 512)
    return filler


def test_a_service_gets_over_a_full_disk(tmp_path: Path) -> None:
    def disk_is_full(scene: Scene) -> None:
        begin(scene)
        for _ in range(2):
            filler = fill(tmp_path / "crew")
            until = time.monotonic() + 6
            while time.monotonic() < until:
                scene.storm.hear()
                time.sleep(0.1)
            filler.unlink()
            scene.crew.mend()
            scene.storm.submit()
            time.sleep(1)

    with a_small_disk(tmp_path / "crew", 60):
        run_trial(tmp_path, 6, disk_is_full, schemes=("parquet", "sqlite"), files=3, tell=print)


def test_of_two_sentinels_on_one_home_the_second_is_told_who_holds_it(tmp_path: Path) -> None:
    product = Served(tmp_path / "crew" / "home")
    product.home.mkdir(parents=True)
    with a_crew(product, workers=1) as crew:
        send(crew.pid, signal.SIGSTOP)  # it can say nothing for itself
        try:
            again = product("start", "--workers", "0", expect=[6])
        finally:
            send(crew.pid, signal.SIGCONT)
        assert "home-busy" in again.err and str(crew.pid) in again.err
        assert product("jobs", "--server", expect=[0]).code == 0


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for the name of a socket."""
    with TemporaryDirectory(prefix="cf") as folder:
        yield Path(folder)


def test_a_home_too_deep_for_sockets_serves_and_leaves_nothing_behind(tmp_path: Path, short: Path) -> None:
    deep = tmp_path / "crew" / ("deep" * 30) / "home"
    product = Served(deep, short=short)
    product.home.mkdir(parents=True)
    (tmp_path / "a.csv").write_text("id,amount\n1,1.5\n")
    with a_crew(product, workers=1) as crew:
        assert product.run(str(tmp_path / "a.csv"))["completed"] == 1
        send(crew.pid, signal.SIGKILL)
        crew.sentinel.wait()  # type: ignore[union-attr]
        crew.mend()
        assert product.run(str(tmp_path / "a.csv"), "--force")["completed"] == 1
        product("stop", expect=[0])
        assert list(product.passing.iterdir()) == []


def test_a_store_that_cannot_be_written_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    place = tmp_path / "crew"
    with a_small_disk(place, 20):
        (place / "a.csv").write_text("id,amount\n1,1.5\n")
        product = Product(place / "home")
        product.run(str(place / "a.csv"))
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        answer = product("start", "--workers", "0")
        assert answer.code == 2, answer
        assert answer.err.startswith("error[usage]: the home cannot be written"), answer.err
