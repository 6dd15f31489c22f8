"""Adds up progress events into two lines that say how far a long command is."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from casparian_flow.clients.cli.render import size_text

STARTING = "starting"
PHASES = {
    "scan.progressed": "scanning",
    "hash.progressed": "hashing",
    "plan.made": "planning",
    "jobs.queued": "parsing",
    "job.surveyed": "parsing",
    "job.completed": "parsing",
    "job.failed": "parsing",
    "backtest.progressed": "rehearsing",
    "run.finished": "done",
}
COUNTED = ("rows", "quarantined")
STEADY_SECONDS = 5.0
"""For so long guesses at the whole time must have agreed before what is left is shown."""
STEADY_RATIO = 1.3
"""The longest of guesses that agree, beside the shortest."""
_GUESS_EVERY = 0.5


class Tally:
    """What the events have said so far. Only numbers are kept: no text of a file reaches the lines."""

    def __init__(self) -> None:
        self.phase = STARTING
        self._numbers: dict[str, int] = {}
        self._contracts = 0
        self._is_again, self._again = False, 0
        self._began: float | None = None
        self._guesses: deque[tuple[float, float]] = deque()

    def add(self, event: str, values: Mapping[str, object], now: float) -> None:
        """Take in one event; one that is not known changes nothing."""
        if event == "contract.adopted":
            self._contracts += 1
            return
        if event == "contract.evolved":
            self._is_again, self.phase = True, "reading again"
            return
        if event not in PHASES:
            return
        if self._is_again and event.startswith("job"):
            self._again += event == "job.completed"  # these files were counted when they were first read
            return
        if PHASES[event] != self.phase:
            self.phase = PHASES[event]
            self._began = now
            self._guesses.clear()
        if event in ("job.completed", "job.surveyed"):
            self._numbers[event] = self._numbers.get(event, 0) + 1
        for name, value in values.items():
            if isinstance(value, int):
                self._numbers[f"{event} {name}"] = value
                if event == "job.completed" and name in COUNTED:
                    self._numbers[name] = self._numbers.get(name, 0) + value

    def lines(self, now: float) -> tuple[str, str]:
        """What is being done, and what came of it."""
        return self._doing(now), self._so_far()

    def _number(self, event: str, name: str) -> int:
        return self._numbers.get(f"{event} {name}", 0)

    def _doing(self, now: float) -> str:
        match self.phase:
            case "scanning":
                return f"scanning: {self._number('scan.progressed', 'files'):,} files"
            case "hashing":
                done, total = (self._number("hash.progressed", name) for name in ("bytes", "total"))
                files = self._number("hash.progressed", "files")
                of_total = f" of {size_text(total)}" if total else ""
                return f"hashing: {files:,} files, {size_text(done)}{of_total}{self._left(done, total, now)}"
            case "planning":
                run, skip = (self._number("plan.made", name) for name in ("run", "skip"))
                return f"planned: {run:,} files to run, {skip:,} to skip"
            case "parsing":
                done = self._number("job.completed", "done") or self._numbers.get("job.completed", 0)
                total = self._number("job.completed", "total") or self._number("jobs.queued", "total")
                read = self._numbers.get("job.surveyed", 0)
                # How many a replay will read nobody says: its first files decide whether it goes on.
                of_total = f" of {total:,}" if total and total >= max(read, done) else ""
                if read > done:  # they wait for the contract of all of them
                    return f"parsing: {read:,}{of_total} files read, {done:,} landed"
                return f"parsing: {done:,}{of_total} files{self._left(done, total, now)}"
            case "reading again":
                return f"reading again: {self._again:,} files, for a change that was let in"
            case "rehearsing":
                done, total = (self._number("backtest.progressed", name) for name in ("done", "total"))
                return f"rehearsing: {done:,} of {total:,} files{self._left(done, total, now)}"
            case phase:
                return phase

    def _so_far(self) -> str:
        rows, quarantined = (self._numbers.get(name, 0) for name in COUNTED)
        if self._is_again or not (rows or quarantined or self._contracts):
            return ""
        contracts = f", {self._contracts} new tables" if self._contracts else ""
        return f"{rows:,} rows, {quarantined:,} in quarantine{contracts}"

    def _left(self, done: int, total: int, now: float) -> str:
        """The time that the rest will take at this pace; nothing before the pace is steady."""
        if self._began is None or not 0 < done < total:
            return ""
        whole = (now - self._began) * total / done
        if not self._guesses or now - self._guesses[-1][0] >= _GUESS_EVERY:
            self._guesses.append((now, whole))
        while len(self._guesses) > 1 and now - self._guesses[1][0] >= STEADY_SECONDS:
            self._guesses.popleft()
        guesses = [whole, *(guess for _, guess in self._guesses)]
        if now - self._guesses[0][0] < STEADY_SECONDS or max(guesses) > STEADY_RATIO * min(guesses):
            return ""
        minutes, seconds = divmod(round(whole * (total - done) / total), 60)
        return f", {minutes}:{seconds:02d} left"
