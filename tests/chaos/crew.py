"""A sentinel with its own workers, workers that joined it, and the commands that ask it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from product import Answer, Product

from .processes import at_home_in, descendants, is_alive, is_guest, is_worker, send

PATIENCE = 90.0


def wait_for(
    holds: Callable[[], object], why: str, seconds: float = PATIENCE, *, more: Callable[[], str] = str
) -> None:
    """Return when it holds; when that takes too long fails with `why`, and what `more` gives then."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, why + more()
        time.sleep(0.05)


@dataclass(frozen=True)
class Served(Product):
    """The product whose processes keep their passing files in one folder; `short` where the home's path is too long."""

    short: Path | None = None

    def __post_init__(self) -> None:
        self.passing.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of every command."""
        return {**super().environment, "TMPDIR": str(self.passing)}

    def start(self, *arguments: str, cwd: Path | None = None, into: IO[str] | None = None) -> subprocess.Popen[str]:
        """The command in a session of its own; what it says is captured, or goes into a file."""
        return subprocess.Popen(
            [*self.through, sys.executable, "-m", "casparian_flow", "--home", str(self.home), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=into or subprocess.PIPE,
            stderr=into or subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            env=self.environment,
            cwd=cwd,
            start_new_session=True,
        )

    @property
    def passing(self) -> Path:
        """Where its processes keep what only lasts as long as they do."""
        return self.short or self.home.parent / "passing"

    def asked(self, statement: str, *values: object) -> list[Any]:
        """What the state says, read beside whoever holds it."""
        state = self.home / "state.sqlite3"
        if not state.exists():
            return []
        with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(statement, values).fetchall()


@dataclass
class Crew:
    """Everything that was started over one home; nothing of it is alive after `end`."""

    product: Served
    workers: int = 3
    joined: int = 0
    sentinel: subprocess.Popen[str] | None = None
    outposts: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    asking: list[subprocess.Popen[str]] = field(default_factory=list)
    starts: int = 0

    @property
    def log(self) -> Path:
        """What every process of the service said."""
        return self.product.home.parent / "service.log"

    def start(self) -> None:
        """Have a sentinel that answers, and every worker that joins it by itself."""
        self.start_sentinel()
        for number in range(self.joined):
            self.start_outpost(f"out-{number}")

    def start_sentinel(self) -> None:
        """A sentinel that answers; what a killed one left must not stand in its way."""
        self.starts += 1
        with self.log.open("a") as log:
            self.sentinel = self.product.start("start", "--workers", str(self.workers), "-v", into=log)
        wait_for(lambda: self.holder() == self.pid or not self.has_sentinel(), "no sentinel came up")
        assert self.has_sentinel(), f"a sentinel did not start:\n{self.log.read_text()[-4000:]}"

    def start_outpost(self, name: str) -> None:
        """A worker that joins by itself."""
        keys = str(self.product.home.parent / "keys")
        with self.log.open("a") as log:
            home = str(self.product.home)
            self.outposts[name] = self.product.start("worker", "--join", home, "--name", name, "--keys", keys, into=log)

    @property
    def pid(self) -> int:
        """The process of the sentinel."""
        assert self.sentinel is not None
        return self.sentinel.pid

    def has_sentinel(self) -> bool:
        """Whether its process runs."""
        return self.sentinel is not None and self.sentinel.poll() is None

    def holder(self) -> int | None:
        """The process that says it holds the home."""
        with suppress(FileNotFoundError):
            return int(json.loads((self.product.home / "sentinel.json").read_text())["pid"])
        return None

    def mend(self) -> None:
        """Start again what nobody else would."""
        if not self.has_sentinel():
            self.start_sentinel()
        for name, process in self.outposts.items():
            if process.poll() is not None:
                self.start_outpost(name)

    def worker_pids(self) -> list[int]:
        """Every process that is a worker now."""
        local = [pid for pid in descendants(self.pid) if is_worker(pid)] if self.has_sentinel() else []
        return [*local, *(each.pid for each in self.outposts.values() if each.poll() is None)]

    def guest_pids(self) -> list[int]:
        """Every parser's process, with its worker alive or not."""
        return [pid for pid in at_home_in(self.product.home.parent) if is_guest(pid)]

    def ask(self, *arguments: str) -> None:
        """Start a command and let it go on; `reap` collects it."""
        self.asking.append(self.product.start(*arguments))

    def reap(self) -> list[Answer]:
        """The commands that have ended since the last time."""
        ended = [each for each in self.asking if each.poll() is not None]
        self.asking = [each for each in self.asking if each not in ended]
        return [Answer(each.returncode, *each.communicate()) for each in ended]

    def end(self) -> None:
        """Kill whatever of it is left."""
        mine = [each for each in (self.sentinel, *self.outposts.values(), *self.asking) if each is not None]
        for process in mine:
            for pid in [*descendants(process.pid), process.pid] if process.poll() is None else []:
                send(pid, signal.SIGKILL)
        for pid in at_home_in(self.product.home.parent):
            send(pid, signal.SIGKILL)
        for process in mine:
            process.communicate()


@contextmanager
def a_crew(product: Served, *, workers: int = 3, joined: int = 0) -> Iterator[Crew]:
    """A crew at work, all of it gone at the end."""
    crew = Crew(product, workers=workers, joined=joined)
    try:
        crew.start()
        yield crew
    finally:
        crew.end()


def wait_until_dead(pids: list[int], why: str, seconds: float = PATIENCE) -> None:
    """Return when none of them is alive."""
    wait_for(lambda: not any(map(is_alive, pids)), why, seconds)


def end_outpost(process: subprocess.Popen[str]) -> None:
    """Tell a worker to end; told twice, it does not wait any longer for a sentinel that is gone."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.terminate()
