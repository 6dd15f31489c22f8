"""What a run is decided by, and which of its jobs are open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection

from casparian_flow.core.drift import BUILT_IN, Modes
from casparian_flow.core.jobs import JobPhase, JobState
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.messages import Limits
from casparian_flow.sentinel.actions import Action
from casparian_flow.store import jobs as job_store
from casparian_flow.store import runs as run_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.facts import Facts, facts_of

BACK_OFF_SECONDS = (4.0, 16.0, 64.0)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the sentinel decides by, kept with the run so that it outlives the sentinel.

    `tolerance` is the share of a file's rows that may be quarantined, for tables that say nothing themselves, and
    `quarantine_bytes` what all rejected rows may take, if not 0; `back_off_seconds` are the pauses before each
    further try after a transient failure; rows of bytes in `kept_hashes` stay when the run replaces a table;
    `modes` say what happens where a file differs from a contract that does not say it itself; `evidence_margin` is by
    how much the evidence of a proposal may grow before it is void.
    """

    limits: Limits = Limits()
    holds_first_contracts: bool = False
    tolerance: float = 1.0
    quarantine_bytes: int = 0
    back_off_seconds: tuple[float, ...] = BACK_OFF_SECONDS
    kept_hashes: tuple[str, ...] = ()
    modes: Modes = BUILT_IN
    evidence_margin: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOutcome:
    """Which side won. `is_cancelled`: the job will never commit; `state` is the one it has now.

    A job that is cancelled and not yet `aborted` still runs somewhere; one that is not cancelled was `committing` or
    over already.
    """

    state: JobState
    is_cancelled: bool


@dataclass(slots=True)
class Run:
    """One submitted plan. `open` are its jobs that are neither over nor held nor waiting for a sink.

    `held` attempts are sealed and become visible together at the end, which is `finishing` while `ending`, what has
    to be done at the sinks for it, is under way.
    """

    plan: int
    policy: Policy
    parsers: set[int] = field(default_factory=set)
    open: set[int] = field(default_factory=set)
    held: dict[int, tuple[Facts, Receipt]] = field(default_factory=dict)
    is_finishing: bool = False
    ending: list[Action] = field(default_factory=list)


class Runs:
    """Every run that is not over, by plan."""

    def __init__(self) -> None:
        self._by_plan: dict[int, Run] = {}

    def __iter__(self) -> Iterator[Run]:
        return iter(list(self._by_plan.values()))

    def __len__(self) -> int:
        return len(self._by_plan)

    def of_plan(self, plan: int) -> Run | None:
        """The run of a plan; None when it is over, or not taken up."""
        return self._by_plan.get(plan)

    def drop(self, plan: int) -> None:
        """A run is over."""
        self._by_plan.pop(plan, None)

    def load(self, connection: Connection, plan: int) -> tuple[Run, list[AnyRow]] | None:
        """Take a run up from the store, with its jobs that are not over; None if it was never submitted."""
        row = run_store.run_of(connection, plan)
        if row is None:
            return None
        run = Run(plan, msgspec.json.decode(row.policy, type=Policy))
        jobs = job_store.open_of_plan(connection, plan)
        for job in jobs:
            run.parsers.add(job.parser_id)
            if is_held(job):
                run.held[job.id] = (facts_of(connection, job.id), msgspec.json.decode(job.receipt, type=Receipt))
            else:
                run.open.add(job.id)
        self._by_plan[plan] = run
        return run, list(jobs)


def is_held(job: AnyRow) -> bool:
    """Whether a job's attempt is sealed and waits for the end of its run, in nobody's hands."""
    return job.state == JobState.RUNNING and job.phase == JobPhase.SEALED and job.receipt is not None
