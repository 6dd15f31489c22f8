"""What an operation is given besides its request: a view to read from, or the right to act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from casparian_flow.settings import Home, Settings

if TYPE_CHECKING:  # who only names these must not wait for them
    from sqlalchemy import Connection

    from casparian_flow.sentinel.recovery import Recovered
    from casparian_flow.sentinel.runs import CancelOutcome
    from casparian_flow.sinks.base import Sink
    from casparian_flow.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A read-only view of one home; `connection` cannot write. `cwd` is where the asker stands."""

    home: Home
    settings: Settings
    connection: Connection
    cwd: Path
    now_ns: int


Report = Callable[[str, dict[str, object]], None]
"""Progress as it happens: an event name, `noun.verb` in the past, and its values. It must return quickly."""


class Execution(Protocol):
    """Who has jobs done: the sentinel of this process, or the one that the service runs in a thread of its own.

    No method may be called inside a transaction of the caller: the sentinel waits for its turn at the database.
    What the methods tell is durable before they return.
    """

    @property
    def outlives_asker(self) -> bool:
        """Whether jobs are done though nobody waits for them; else only while `wait` lasts."""

    def submit(self, plan: int, workers: int) -> None:
        """Take up a run whose row and jobs are in the store (`store.runs.submit`).

        `workers` is how many slots to start where nobody else brings any; a service has its workers already.
        """

    def wait(self, plan: int, report: Report) -> None:
        """Return when no job of the run is open and what waited for its end has landed; what it did is in the store.

        `report` hears the events of that plan. Raises SentinelStopped when the sentinel ends before.
        """

    def cancel(self, job: int, wait_seconds: float) -> CancelOutcome:
        """Stop a job before it commits, waiting so long until nothing of it runs; raises NotFound."""

    def hurry(self, job: int) -> bool:
        """Let a queued job that pauses after a failure have its turn at once; false if it does not pause."""

    def set_priority(self, job: int, priority: int) -> bool:
        """Change when a queued job has its turn; false if it is not queued any more."""

    def drain(self, worker: str) -> bool:
        """Let a worker finish what it holds and give it nothing more; false if none of that name is present."""

    def remove(self, worker: str) -> bool:
        """Forget a worker, its attempts fenced and queued again; false if there is none of that name."""

    def stop(self, *, drain: bool, seconds: float | None = None) -> None:
        """End the sentinel soon: with `drain` after the attempts that are out, but within so many seconds.

        Embedded: changes nothing.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """The right to change one home: its lock is held and what a crash left is put right.

    `execution` has jobs done; `clock` gives nanoseconds since 1970; `actor` is the person's login name.
    """

    home: Home
    settings: Settings
    database: Database
    cwd: Path
    clock: Callable[[], int]
    actor: str
    report: Report
    recovered: Recovered
    open_sink: Callable[[str], Sink]
    execution: Execution
