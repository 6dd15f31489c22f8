"""A worker that is cut off is fenced: its job is done elsewhere, and what it says late changes nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from .crew import Served, wait_for
from .cut import Proxy, namespaces
from .processes import at_home_in, descendants, is_alive, send

pytestmark = pytest.mark.slow

WAITS = """
import os, time
from pathlib import Path
place = Path({place!r})
def parse(path):
    with open(place / "begun", "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    while not (place / "go").exists():
        time.sleep(0.02)
    yield "rows", [{{"n": n}} for n in range(5)]
"""


class Place:
    """A sentinel, a worker at the end of a line that can be cut, and one beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.product = Served(root / "crew" / "home")
        self.product.home.mkdir(parents=True)
        self.parser = root / "waits.py"
        self.parser.write_text(WAITS.format(place=str(root)))
        self.file = root / "in" / "a.dat"
        self.file.parent.mkdir()
        self.file.write_text("anything")
        self.log = (root / "log").open("a")
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *words: str, through: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        process = replace(self.product, through=through).start(*words, into=self.log)
        self.started.append(process)
        return process

    def presence(self) -> dict[str, object]:
        file = self.product.home / "sentinel.json"
        wait_for(file.exists, "no sentinel came up")
        found: dict[str, object] = json.loads(file.read_text())
        return found

    def join(self, invitation: str, through: tuple[str, ...] = ()) -> None:
        keys = str(self.root / "crew" / "far")
        self.start("worker", "--join", invitation, "--keys", keys, through=through)
        wait_for(lambda: self.is_there("far"), "the worker never joined")

    def is_there(self, name: str) -> bool:
        found = self.product.asked("SELECT 1 FROM cf_workers WHERE name = ? AND state = 'present'", name)
        return bool(found)

    def begun(self) -> list[int]:
        file = self.root / "begun"
        return [int(word) for word in file.read_text().split()] if file.exists() else []

    def job(self) -> tuple[str, int, str]:
        """Its state, its attempt, and the worker that has it or had it last."""
        found: list[tuple[str, int, str]] = self.product.asked("SELECT state, attempt, worker FROM cf_jobs")
        return found[0]

    def end(self) -> None:
        for process in self.started:
            for pid in [*descendants(process.pid), process.pid] if process.poll() is None else []:
                send(pid, signal.SIGKILL)
            process.wait()
        for pid in at_home_in(self.root / "crew"):
            send(pid, signal.SIGKILL)
        self.log.close()


@contextmanager
def by_proxy(place: Place) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """A line through a process that stops passing bytes on."""
    place.start("serve", "--workers", "0", "--workers-listen", "127.0.0.1:0", "-v")
    [endpoint] = [each for each in place.presence()["workers"] if str(each).startswith("tcp:")]  # type: ignore[attr-defined]
    with closing(Proxy(int(endpoint.rpartition(":")[2]))) as proxy:
        address = f"127.0.0.1:{proxy.port}"
        invited = place.product("worker", "invite", "--name", "far", "--address", address, "--json", expect=[0]).json
        place.join(invited["invitation"])
        yield proxy.cut, proxy.mend


@contextmanager
def by_namespace(place: Place) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """A cable that is unplugged."""
    with namespaces() as spaces:
        listen = f"{spaces.near_address}:7700"
        place.start("serve", "--workers", "0", "--workers-listen", listen, "-v", through=spaces.through(spaces.near))
        place.presence()
        invited = place.product("worker", "invite", "--name", "far", "--address", listen, "--json", expect=[0]).json
        place.join(invited["invitation"], spaces.through(spaces.far))
        try:
            yield spaces.cut, spaces.mend
        finally:
            place.end()


@pytest.mark.parametrize(
    ("line", "seconds"),
    [(by_proxy, 5), (by_namespace, 20)],
    ids=["proxy-5s", "namespace-20s"],
)
def test_a_worker_that_is_cut_off_commits_nothing_late(
    tmp_path: Path, line: Callable[[Place], object], seconds: int
) -> None:
    place = Place(tmp_path)
    with ExitStack() as stack:
        stack.callback(place.end)
        cut, mend = stack.enter_context(line(place))  # type: ignore[arg-type]
        asking = place.start("run", str(place.file), "--parser", str(place.parser), "--json")
        wait_for(place.begun, "the job never began")
        [far_guest] = place.begun()
        assert place.job()[1:] == (1, "far")
        place.start(
            "worker", "--join", str(place.product.home), "--name", "near", "--keys", str(tmp_path / "crew/near")
        )
        wait_for(lambda: place.is_there("near"), "the other worker never joined")

        cut()
        until = time.monotonic() + seconds
        if seconds > 15:
            wait_for(lambda: not is_alive(far_guest), "the worker that was cut off goes on")
            wait_for(
                lambda: place.job()[1:] == (2, "near") and len(place.begun()) == 2, f"not elsewhere: {place.job()}"
            )
        wait_for(lambda: time.monotonic() > until, "time stands still")
        mend()
        wait_for(lambda: place.is_there("far"), "the worker never came back")
        (tmp_path / "go").touch()
        wait_for(lambda: asking.poll() is not None, "the run never ends")

        state, attempt, worker = place.job()
        assert state == "completed"
        if seconds > 15:
            assert (attempt, worker) == (2, "near")
        assert place.product.table("rows")["n"].to_pylist() == list(range(5))
        assert place.product.asked("SELECT COUNT(*) FROM cf_commits") == [(1,)]
        again = place.product.run(str(place.file), "--parser", str(place.parser), "--force")
        assert again["completed"] == 1
