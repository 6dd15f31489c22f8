"""Makes a crashed state true again: what has a permit rolls forward, everything else is swept."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.core.receipts import Receipt
from casparian_flow.sentinel import commits
from casparian_flow.sentinel.facts import facts_of
from casparian_flow.sentinel.reversal import record_reversal
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store.database import Database
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.meta import next_incarnation

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

    After a clean end there is nothing to do, and no folder is looked at. A sink that cannot be reached does not stand
    in the way of the others: what was permitted there waits for the next start.
    """
    with database.transaction() as connection:
        incarnation = next_incarnation(connection)
        sinks = job_store.sinks_of_unpermitted(connection)
        sinks += [row.sink_uri for row in output_store.unrecorded(connection)]
    if staging.exists():
        shutil.rmtree(staging)
    rolled = roll_forward(database, open_sink, now_ns)
    if not (rolled.landed or sinks):
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
        abandoned = job_store.abandon_unpermitted(connection, now_ns, INTERRUPTED)
    return Recovered(incarnation, len(rolled.landed), abandoned, swept, rolled.troubles)


def roll_forward(database: Database, open_sink: Callable[[str], Sink], now_ns: int) -> RolledForward:
    """Promote and record everything that was permitted and is not recorded; no worker may be at work.

    A commit stays as it is until each of its sinks took its part; what the others took is visible meanwhile.
    """
    with database.transaction() as connection:
        entries = output_store.unrecorded(connection)
        committing = [row.id for row in connection.execute(job_store.COMMITTING)]
        in_force = contract_store.in_force(connection) if committing else {}
    rolled = RolledForward()
    waiting: set[int] = set()
    for rows in _by_commit(entries):
        if not _promote(rows, open_sink, rolled.troubles):
            waiting.update(_jobs_behind(rows))
        elif rows[0].job_id is None:
            with database.transaction() as connection:
                _record_without_job(connection, rows)
    for job in committing:
        if job not in waiting:
            with database.transaction() as connection:
                rolled.landed[job] = commits.record(connection, facts_of(connection, job), in_force, now_ns)
    return rolled


def _promote(rows: Sequence[AnyRow], open_sink: Callable[[str], Sink], troubles: dict[str, CasparianError]) -> bool:
    """Make the entries of one commit visible in each of its sinks; whether all of them took theirs."""
    by_sink: dict[str, list[PermittedEntry]] = defaultdict(list)
    for row in rows:
        by_sink[row.sink_uri].append(_entry(row))
    has_landed = True
    for uri, entries in by_sink.items():
        try:
            open_sink(uri).promote(entries)
        except CasparianError as exc:
            troubles[uri] = exc
            has_landed = False
    return has_landed


def _by_commit(entries: Sequence[AnyRow]) -> list[list[AnyRow]]:
    """The entries of one job together, whatever their sinks, and those that no job brought by table; oldest first."""
    found: dict[tuple[object, ...], list[AnyRow]] = defaultdict(list)
    for row in entries:
        alone = (row.sink_uri, row.table_name, row.permitted_at_ns, row.reverts_to)
        found[alone if row.job_id is None else (row.job_id,)].append(row)
    return list(found.values())


def _record_without_job(connection: Connection, rows: Sequence[AnyRow]) -> None:
    if rows[0].reverts_to is not None:
        record_reversal(connection, rows[0].sink_uri, rows[0].table_name, [row.id for row in rows])
        return
    for row in rows:
        commits.record_retirement(connection, row.id, _entry(row))


def _jobs_behind(rows: Sequence[AnyRow]) -> set[int]:
    """Every job whose rows these entries add: several when they replace a table."""
    return {record.job for row in rows for record in commits.records_of(row.body, row.sink_uri)} | {
        row.job_id for row in rows if row.job_id is not None
    }


def _entry(row: AnyRow) -> PermittedEntry:
    return PermittedEntry(sink=row.sink_uri, table=row.table_name, role=Role(row.role), seq=row.seq, body=row.body)
