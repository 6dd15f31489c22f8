"""The laws: what has to hold after every step, and when everything has come to rest."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.errors import OverTolerance
from casparian_flow.core.jobs import FINAL_STATES, MOVES, JobState

from .sinks import Sinks, Violation

ENDED = (JobState.ABORTED, JobState.REJECTED)
"""A job that ends so counts one failure more, whoever wanted that."""
_JOBS = "SELECT id, state, attempt, session, cancel_requested, failures, error_code FROM cf_jobs"


@dataclass(frozen=True, slots=True)
class Row:
    """A job as the store has it."""

    state: JobState
    attempt: int
    session: str | None
    is_cancelled: bool
    failures: int
    error: str | None


class Oracle:
    """Sees the store and the sinks, remembers what was promised, and believes nobody."""

    def __init__(self, path: Path, sinks: Sinks) -> None:
        self._file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        self._sinks = sinks
        self._seen = (-1, -1)
        self._before: dict[int, Row] = {}
        self._begun: dict[tuple[int, int], str] = {}
        self.told_cancelled: set[int] = set()
        """Jobs of which somebody was told that they will never commit."""
        self.blamed: set[tuple[int, int]] = set()
        """Attempts that failed by themselves."""
        self.is_calm = False
        """Nothing but parsers fails in this world: nobody is to blame for anything else."""

    def close(self) -> None:
        """Let go of the store."""
        self._file.close()

    def rows(self) -> dict[int, Row]:
        """Every job."""
        return {
            job: Row(JobState(state), attempt, session, bool(cancelled), failures, error)
            for job, state, attempt, session, cancelled, failures, error in self._file.execute(_JOBS)
        }

    def begun(self, key: tuple[int, int], session: str) -> None:
        """A worker begins with an attempt: nobody else ever had it, nor this worker before."""
        if key in self._begun:
            raise Violation(f"attempt {key[1]} of job {key[0]} began at {self._begun[key]} and at {session}")
        self._begun[key] = session

    def check(self) -> None:
        """Raises Violation unless every law holds now."""
        seen = (self._file.execute("PRAGMA data_version").fetchone()[0], self._sinks.changes)
        if seen == self._seen:
            return
        self._seen = seen
        rows = self.rows()
        for job, row in rows.items():
            self._check_move(job, self._before.get(job), row)
            self._check_visible(job, row)
            self._check_blame(job, row)
        self._before = rows

    def is_over(self) -> bool:
        """Whether every job has come to its end."""
        return all(row.state in FINAL_STATES for row in self.rows().values())

    def check_end(self, uris: dict[int, int]) -> None:
        """Raises Violation unless everything came to its end; `uris` says in how many sinks each job lands."""
        for job, row in self.rows().items():
            if row.state not in FINAL_STATES:
                raise Violation(f"job {job} is still {row.state}")
            if row.state is JobState.COMPLETED and self._sinks.places_of(job) != uris[job]:
                raise Violation(f"job {job} is completed, and was visible in {self._sinks.places_of(job)} sinks")

        self._sinks.check_end()

    def _check_move(self, job: int, before: Row | None, row: Row) -> None:
        if before is None or before.state is row.state:
            return
        if before.state in FINAL_STATES:
            raise Violation(f"job {job} went from {before.state} to {row.state}")
        if not _reaches(before.state, row.state):
            raise Violation(f"job {job} went from {before.state} to {row.state}")
        if job in self.told_cancelled and row.state in (JobState.COMMITTING, JobState.COMPLETED):
            raise Violation(f"job {job} is {row.state} after somebody was told that it is cancelled")

    def _check_blame(self, job: int, row: Row) -> None:
        """Who shares a group with one that fails does not fail with it."""
        if row.error == OverTolerance.code and (job, row.attempt) not in self.blamed:
            raise Violation(f"job {job} failed as {row.error} for rows of another")
        if self.is_calm and row.failures > sum(blamed == job for blamed, _ in self.blamed) + (row.state in ENDED):
            raise Violation(f"job {job} has failed {row.failures} times, and never did by itself")

    def _check_visible(self, job: int, row: Row) -> None:
        shown = self._sinks.shown.get(job)
        if not shown:
            return
        attempts = {each.attempt for each in shown}
        if len(attempts) > 1:
            raise Violation(f"attempts {sorted(attempts)} of job {job} are visible")
        if row.state not in (JobState.COMMITTING, JobState.COMPLETED):
            raise Violation(f"rows of job {job} are visible, and it is {row.state}")
        if attempts != {row.attempt}:
            raise Violation(f"attempt {attempts.pop()} of job {job} is visible, and {row.attempt} is permitted")


def _reach() -> dict[JobState, set[JobState]]:
    found: dict[JobState, set[JobState]] = defaultdict(set)
    for start in JobState:
        todo = [start]
        while todo:
            for state in MOVES[todo.pop()]:
                if state not in found[start]:
                    found[start].add(state)
                    todo.append(state)
    return found


_REACHABLE = _reach()


def _reaches(before: JobState, after: JobState) -> bool:
    """Whether a job can have come from one state to the other, in as many moves as it takes."""
    return after in _REACHABLE[before]
