"""Rolls forward what has a permit and is not recorded: promoted where it is not visible yet, then recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.receipts import Receipt
from casparian_flow.sentinel.actions import Promote
from casparian_flow.sentinel.commit import commits
from casparian_flow.sentinel.commit.open_commits import open_commits, record_without_job
from casparian_flow.sentinel.commit.promoter import carry_out
from casparian_flow.sinks.base import Sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.facts import facts_of


@dataclass(slots=True)
class RolledForward:
    """The jobs that landed with their receipts, and the sinks, by URI, that refused, with their last error."""

    landed: dict[int, Receipt] = field(default_factory=dict)
    troubles: dict[str, CasparianError] = field(default_factory=dict)


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


def _note(database: Database, jobs: frozenset[int], error: CasparianError) -> None:
    """Keep with the jobs of a commit why they are not visible."""
    with database.transaction() as connection:
        for job in sorted(jobs):
            attempt = facts_of(connection, job).attempt
            job_store.note_trouble(connection, job, attempt, code=error.code, message=error.message, why=error.why)
