"""Makes a crashed state true again: what has a permit rolls forward, everything else is swept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.receipts import Receipt
from casparian_flow.sentinel.actions import Promote
from casparian_flow.sentinel.commit import commits
from casparian_flow.sentinel.commit.open_commits import open_commits, record_without_job
from casparian_flow.sentinel.commit.promoter import carry_out
from casparian_flow.sentinel.history.compaction import give_up_all
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import job_ends
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store import runs as run_store
from casparian_flow.store import workers as worker_store
from casparian_flow.store.database import Database
from casparian_flow.store.facts import facts_of
from casparian_flow.store.meta import littered_sinks, next_incarnation, set_littered_sinks

INTERRUPTED = "its process ended before it committed"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found. `rolled_forward` jobs landed, `abandoned` jobs left nothing behind.

    `troubles` are sinks, by URI, in which permitted work still waits for the next try, and why.
    """

    incarnation: int
    rolled_forward: int = 0
    abandoned: int = 0
    swept_files: int = 0
    troubles: Mapping[str, CasparianError] = field(default_factory=dict)


@dataclass(slots=True)
class RolledForward:
    """The jobs that landed with their receipts, and the sinks, by URI, that refused, with their last error."""

    landed: dict[int, Receipt] = field(default_factory=dict)
    troubles: dict[str, CasparianError] = field(default_factory=dict)


def recover(
    database: Database, open_sink: Callable[[str], Sink], default_sink: str, staging: Path, now_ns: int
) -> Recovered:
    """Bring state and sinks together at start; needs no person and can be interrupted and repeated at any point.

    From here on this process is the only one that may write: an older sentinel is fenced.
    After a clean end there is nothing to do, and no folder is looked at. A sink that cannot be reached does not stand
    in the way of the others: what was permitted there waits for the next start.
    """
    with database.transaction() as connection:
        incarnation = next_incarnation(connection)
        sinks = job_store.sinks_of_unpermitted(connection)
        sinks += [row.sink_uri for row in output_store.unrecorded(connection)]
        sinks += littered_sinks(connection)
    database.incarnation = incarnation  # not before it is durable: a disk that failed is no later sentinel
    _clear(staging)
    rolled = roll_forward(database, open_sink, now_ns)
    rolled.troubles |= give_up_all(database, open_sink)
    if not (rolled.landed or sinks):
        with database.transaction() as connection:
            run_store.finish_all(connection, now_ns)
        return Recovered(incarnation)
    with database.transaction() as connection:
        keep = [Attempt(job=row.id, attempt=row.attempt) for row in connection.execute(job_store.COMMITTING)]
    swept = 0
    for uri in dict.fromkeys([default_sink, *sinks]):
        try:
            swept += open_sink(uri).sweep(keep)
        except CasparianError as exc:
            rolled.troubles.setdefault(uri, exc)
    # Last: until their files are gone, these jobs are what tells the next start where to look for them.
    with database.transaction() as connection:
        abandoned = job_ends.abandon_unpermitted(connection, now_ns, INTERRUPTED)
        set_littered_sinks(connection, sorted(set(sinks) & rolled.troubles.keys()))
        run_store.finish_all(connection, now_ns)
    return Recovered(incarnation, len(rolled.landed), abandoned, swept, rolled.troubles)


def take_up(
    database: Database, open_sink: Callable[[str], Sink], default_sink: str, staging: Path, now_ns: int
) -> Recovered:
    """What a sentinel does at its start that serves workers elsewhere: open runs go on.

    The incarnation is counted on, whoever was a worker has to identify again, and files are swept but for those of
    attempts that are not decided yet. What is permitted is rolled forward by the sentinel when it runs.
    """
    with database.transaction() as connection:
        incarnation = next_incarnation(connection)
        worker_store.lose_all(connection)
        undecided = job_store.undecided(connection)
        sinks = [*job_store.sinks_of_unpermitted(connection), *littered_sinks(connection)]
        sinks += [row.sink_uri for row in output_store.unrecorded(connection)]
    database.incarnation = incarnation  # not before it is durable: a disk that failed is no later sentinel
    _clear(staging)
    give_up_all(database, open_sink)
    keep = [Attempt(job=row.id, attempt=row.attempt) for row in undecided]
    swept = 0
    away = []
    for uri in dict.fromkeys([default_sink, *sinks]) if sinks else []:
        try:
            swept += open_sink(uri).sweep(keep)
        except CasparianError:  # it is swept at the next start
            away.append(uri)
    if sinks:
        with database.transaction() as connection:
            set_littered_sinks(connection, away)
    return Recovered(incarnation, swept_files=swept)


def roll_forward(
    database: Database, open_sink: Callable[[str], Sink], now_ns: int, *, jobs: bool = True
) -> RolledForward:
    """Promote and record what was permitted and is not recorded; no worker may be at work on it.

    Without `jobs` only what no job brought: reverts, and rows taken out. A commit stays as it is until each of its
    sinks took its part; what the others took is visible meanwhile.
    """
    with database.transaction() as connection:
        waiting = [commit for commit in open_commits(connection) if jobs or not commit.jobs]
        committing = [row.id for row in connection.execute(job_store.COMMITTING)] if jobs else []
        in_force = contract_store.in_force(connection) if committing else {}
    rolled = RolledForward()
    refused: set[int] = set()
    for commit in waiting:
        done = carry_out(Promote(entries=commit.entries, jobs=commit.jobs, commits=commit.ids), open_sink)
        rolled.troubles.update(done.troubles)
        if done.troubles:
            refused |= commit.jobs
            _note(database, commit.jobs, next(iter(done.troubles.values())))
        elif not commit.jobs:
            with database.transaction() as connection:
                record_without_job(connection, commit.ids)
    for job in committing:
        if job not in refused:
            with database.transaction() as connection:
                rolled.landed |= commits.record(connection, [facts_of(connection, job)], in_force, now_ns)
    return rolled


def _clear(staging: Path) -> None:
    """Remove what workers left there; what somebody else removes meanwhile is as good as removed."""
    while staging.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(staging)


def _note(database: Database, jobs: frozenset[int], error: CasparianError) -> None:
    """Keep with the jobs of a commit why they are not visible."""
    with database.transaction() as connection:
        for job in sorted(jobs):
            attempt = facts_of(connection, job).attempt
            job_store.note_trouble(connection, job, attempt, code=error.code, message=error.message, why=error.why)
