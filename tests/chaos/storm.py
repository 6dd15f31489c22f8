"""Random faults by a seed, for a while: processes killed and stopped, jobs cancelled and tried again, files changed."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from .corpus import Corpus
from .crew import Crew
from .processes import is_alive, parents, send

OPEN = "('queued', 'dispatched', 'running', 'committing')"
LONG = 0.1
"""How often a process is stopped for longer than its peers wait for it."""


@dataclass
class Storm:
    """Each step is one fault, or something that a person does meanwhile."""

    crew: Crew
    corpus: Corpus
    sinks: list[str]
    random: Random
    tell: Callable[[str], None]
    cancelled: dict[str, list[str]] = field(default_factory=dict)
    """For each job the outcomes that whoever cancelled it was told."""
    retried: set[str] = field(default_factory=set)
    _stopped: dict[int, float] = field(default_factory=dict)
    _sentinel_due: float | None = None
    _outposts_due: dict[str, float] = field(default_factory=dict)
    _orphans: dict[int, float] = field(default_factory=dict)

    def run(self, seconds: float) -> None:
        """Faults for so many seconds; at the end everything runs again, and nobody is stopped."""
        self.submit()
        self.submit_odd()
        until = time.monotonic() + seconds
        steps = {
            self.kill_sentinel: 2,
            self.kill_worker: 4,
            self.stop_worker: 3,
            self.stop_sentinel: 1,
            self.kill_guest: 4,
            self.end_worker: 1,
            self.end_sentinel: 1,
            self.cancel: 3,
            self.retry: 2,
            self.change: 3,
            self.submit: 2,
            self.submit_odd: 1,
        }
        while time.monotonic() < until:
            self.random.choices(list(steps), list(steps.values()))[0]()
            pause = time.monotonic() + self.random.choice((0.05, 0.3, 0.8, 1.5))
            while time.monotonic() < pause:
                self._look()
                time.sleep(0.05)
        for pid in self._stopped:
            send(pid, signal.SIGCONT)
        self._stopped.clear()
        self.crew.mend()
        self._sentinel_due = None
        self._look()

    # --- what goes wrong ----------------------------------------------------------------------------------------

    def kill_sentinel(self) -> None:
        """Without a word; it is started again soon."""
        if self.crew.has_sentinel() and self._sentinel_due is None:
            self.tell("kill the sentinel")
            send(self.crew.pid, signal.SIGKILL)
            self.crew.sentinel.wait()  # type: ignore[union-attr]
            self._sentinel_due = time.monotonic() + self.random.choice((0.0, 0.5, 3.0))

    def end_sentinel(self) -> None:
        """As a service manager would, and perhaps not patiently."""
        if self.crew.has_sentinel() and self._sentinel_due is None:
            number = self.random.choice((signal.SIGTERM, signal.SIGINT))
            self.tell(f"{number.name} to the sentinel")
            send(self.crew.pid, number)
            if number is signal.SIGINT:
                send(self.crew.pid, number)
            patience = time.monotonic() + self.random.choice((0.2, 2.0, 6.0))
            while time.monotonic() < patience and self.crew.has_sentinel():
                self._look()
                time.sleep(0.05)
            send(self.crew.pid, signal.SIGKILL) if self.crew.has_sentinel() else None
            self.crew.sentinel.wait()  # type: ignore[union-attr]
            self._sentinel_due = time.monotonic()

    def kill_worker(self) -> None:
        """Without a word."""
        if workers := self.crew.worker_pids():
            pid = self.random.choice(workers)
            self.tell(f"kill worker {pid}")
            send(pid, signal.SIGKILL)

    def end_worker(self) -> None:
        """As a person would."""
        if workers := self.crew.worker_pids():
            pid = self.random.choice(workers)
            self.tell(f"end worker {pid}")
            send(pid, self.random.choice((signal.SIGTERM, signal.SIGINT)))

    def stop_worker(self) -> None:
        """Let time stand still for it, now and then until others have given it up."""
        if workers := self.crew.worker_pids():
            self._stop(self.random.choice(workers), "worker")

    def stop_sentinel(self) -> None:
        """Let time stand still for it, now and then until its workers have given it up."""
        if self.crew.has_sentinel() and self._sentinel_due is None:
            self._stop(self.crew.pid, "sentinel")

    def kill_guest(self) -> None:
        """A parser dies."""
        if guests := self.crew.guest_pids():
            self.tell("kill a guest")
            send(self.random.choice(guests), signal.SIGKILL)

    # --- what people do -----------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """One open job; what was said is remembered."""
        jobs = self.crew.product.asked(f"SELECT id FROM cf_jobs WHERE state IN {OPEN}")
        if jobs:
            self.tell("cancel")
            self.crew.ask("jobs", "cancel", str(self.random.choice(jobs)[0]), "--json", "--server", "--timeout", "20")

    def retry(self) -> None:
        """One job that did not land."""
        jobs = self.crew.product.asked("SELECT id FROM cf_jobs WHERE state IN ('failed', 'aborted', 'rejected')")
        if jobs:
            job = str(self.random.choice(jobs)[0])
            self.tell("retry")
            self.retried.add(job)
            self.crew.ask("jobs", "retry", job, "--json", "--server", "--timeout", "20")

    def change(self) -> None:
        """A file comes or changes."""
        self.tell(self.corpus.change())

    def submit(self) -> None:
        """A run over the files that any parser reads."""
        self.tell("run")
        self.crew.ask("run", str(self.corpus.plain), *self._where(), "--json", "--server")

    def submit_odd(self) -> None:
        """A run of the parser that is hard to stop."""
        self.tell("run odd")
        self.crew.ask(
            "run", str(self.corpus.odd), "--parser", str(self.corpus.parser), *self._where(), "--json", "--server"
        )

    def _where(self) -> list[str]:
        return [word for sink in self.sinks for word in ("--sink", sink)]

    # --- meanwhile ----------------------------------------------------------------------------------------------

    def _stop(self, pid: int, what: str) -> None:
        if pid in self._stopped:
            return
        seconds = self.random.uniform(11, 20) if self.random.random() < LONG else self.random.uniform(0.1, 3)
        self.tell(f"stop {what} {pid} for {seconds:.1f} s")
        if send(pid, signal.SIGSTOP):
            self._stopped[pid] = time.monotonic() + seconds

    def _look(self) -> None:
        """Wake who slept long enough, start again what ended, hear what commands were told, look for orphans."""
        now = time.monotonic()
        for pid in [pid for pid, due in self._stopped.items() if due <= now]:
            del self._stopped[pid]
            send(pid, signal.SIGCONT)
        if not self.crew.has_sentinel() and self._sentinel_due is None:
            self._sentinel_due = now
        if self._sentinel_due is not None and now >= self._sentinel_due:
            self._sentinel_due = None
            self.crew.start_sentinel()
        for name, process in self.crew.outposts.items():
            if process.poll() is not None and now >= self._outposts_due.setdefault(name, now + 0.5):
                del self._outposts_due[name]
                self.crew.start_outpost(name)
        self.hear()
        self._find_orphans(now)

    def hear(self) -> None:
        """Take note of what commands that ended were told."""
        for answer in self.crew.reap():
            assert "Traceback" not in answer.err, answer.err
            assert answer.code in range(10) or answer.code == 130, answer
            if answer.out.startswith("{"):
                for each in json.loads(answer.out).get("cancelled", ()):
                    self.cancelled.setdefault(each["job"], []).append(each["outcome"])

    def _find_orphans(self, now: float) -> None:
        """No parser outlives its worker for long."""
        workers = {*self.crew.worker_pids(), *self._stopped}
        of = parents()
        orphans = {pid for pid in self.crew.guest_pids() if of.get(pid) not in workers and not self._stopped}
        self._orphans = {pid: self._orphans.get(pid, now) for pid in orphans}
        for pid, since in self._orphans.items():
            assert now - since < 20 or not is_alive(pid), f"guest {pid} outlived its worker"
