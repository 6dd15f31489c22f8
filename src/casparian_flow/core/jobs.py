"""The life of a job."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from casparian_flow.core.errors import IllegalMove
from casparian_flow.core.ids import JobId, VersionId


class JobState(StrEnum):
    """Where a job stands; the last four are final."""

    QUEUED = "queued"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    COMMITTING = "committing"
    COMPLETED = "completed"
    FAILED = "failed"
    ABORTED = "aborted"
    REJECTED = "rejected"


class JobPhase(StrEnum):
    """What a worker is doing with an attempt."""

    STARTING = "starting"
    PARSING = "parsing"
    SURVEYED = "surveyed"
    """Parsed; its rows wait at that worker for their contract."""
    CASTING = "casting"
    SEALED = "sealed"
    """Staged and sealed; it waits for its permit."""
    PROMOTING = "promoting"
    STOPPING = "stopping"


MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.DISPATCHED, JobState.ABORTED, JobState.REJECTED}),
    JobState.DISPATCHED: frozenset(
        {JobState.RUNNING, JobState.QUEUED, JobState.FAILED, JobState.ABORTED, JobState.REJECTED}
    ),
    JobState.RUNNING: frozenset(
        {JobState.COMMITTING, JobState.QUEUED, JobState.FAILED, JobState.ABORTED, JobState.REJECTED}
    ),
    JobState.COMMITTING: frozenset({JobState.COMPLETED}),
    JobState.COMPLETED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.ABORTED: frozenset(),
    JobState.REJECTED: frozenset(),
}
FINAL_STATES = frozenset(state for state, moves in MOVES.items() if not moves)
REPLAYABLE = frozenset({JobState.FAILED, JobState.ABORTED, JobState.REJECTED})
"""Final by themselves; only a person gives such a job another attempt."""
HELD_STATES = frozenset({JobState.DISPATCHED, JobState.RUNNING, JobState.COMMITTING})
"""States in which a worker has the job in hand."""

GAVE_UP = "gave-up"
"""The code of a dead letter: a job that failed again after its last retry."""
INTERRUPTED = "interrupted"
"""The code of a job that ended with its process, by no fault of its own; a later plan reads its file as if new."""
PAUSED = "parser-paused"
"""The code of a job that was refused because its parser is paused after failures."""


class Cancelled(StrEnum):
    """Which side won when a person cancelled a job."""

    ABORTED = "aborted"
    """It is over, and nothing of it runs."""
    STOPPING = "stopping"
    """It will not commit; its worker has not confirmed yet that its process is dead."""
    TOO_LATE = "too-late"
    """It was committing already; its rows become visible."""
    OVER = "already-over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file version through one artifact to its targets."""

    id: JobId
    version: VersionId
    attempt: int = 0
    state: JobState = JobState.QUEUED

    def move(self, to: JobState) -> Job:
        """The same job one step on; raises IllegalMove if the step is not allowed."""
        if to not in MOVES[self.state]:
            raise IllegalMove(f"job {self.id} cannot go from {self.state} to {to}")
        return replace(self, state=to)


def version_of(attempt: int, state: JobState, *, is_cancelled: bool) -> str:
    """Names what a job is at one moment; who asks for a change may demand that it still is that."""
    return f"{attempt}-{state}" + ("-cancelled" if is_cancelled else "")


WORKER_STREAM = "worker"
"""The stream of what was said about an attempt, beside those that its parser writes."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that the parser wrote while it read a file. `stream` is stdout, stderr or log."""

    stream: str
    text: str
