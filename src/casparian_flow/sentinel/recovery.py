"""Makes a crashed state true again: what has a permit rolls forward, everything else is swept."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.outputs import PermittedEntry, Role
from casparian_flow.sentinel import commits
from casparian_flow.sinks.base import Sink
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store.database import Database
from casparian_flow.store.meta import next_incarnation

INTERRUPTED = "its process ended before it committed"


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found. `rolled_forward` jobs landed, `abandoned` jobs left nothing behind."""

    incarnation: int
    rolled_forward: int
    abandoned: int
    swept_files: int


def recover(
    database: Database, open_sink: Callable[[str], Sink], default_sink: str, staging: Path, now_ns: int
) -> Recovered:
    """Bring state and sinks together at start; needs no person and can be interrupted and repeated at any point.

    After a clean end there is nothing to do, and no folder is looked at.
    """
    with database.transaction() as connection:
        incarnation = next_incarnation(connection)
        unpermitted = job_store.sinks_of_unpermitted(connection)
        abandoned = job_store.abandon_unpermitted(connection, now_ns, INTERRUPTED)
        open_entries = output_store.unrecorded(connection)
        committing = connection.execute(job_store.COMMITTING).all()
        in_force = contract_store.in_force(connection)
    if staging.exists():
        shutil.rmtree(staging)
    if not (abandoned or open_entries or committing):
        return Recovered(incarnation, 0, 0, 0)
    by_sink: dict[str, list[PermittedEntry]] = defaultdict(list)
    for row in open_entries:
        by_sink[row.sink_uri].append(
            PermittedEntry(table=row.table_name, role=Role(row.role), seq=row.seq, body=row.body)
        )
    for uri, entries in by_sink.items():
        open_sink(uri).promote(entries)
    # In order of permit, so that a later commit that removes an earlier one's rows is recorded after it.
    for job in sorted(committing, key=lambda row: min((e.id for e in open_entries if e.job_id == row.id), default=0)):
        with database.transaction() as connection:
            commits.record(connection, commits.facts_of(connection, job.id), in_force, now_ns)
    for row in open_entries:
        if row.job_id is None:
            entry = PermittedEntry(table=row.table_name, role=Role(row.role), seq=row.seq, body=row.body)
            with database.transaction() as connection:
                commits.record_retirement(connection, row.sink_uri, row.id, entry)
    swept = sum(open_sink(uri).sweep([]) for uri in dict.fromkeys([default_sink, *unpermitted, *by_sink]))
    return Recovered(incarnation, len(committing), abandoned, swept)
