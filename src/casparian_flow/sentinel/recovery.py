"""Makes a crashed state true again: what has a permit rolls forward, everything else is swept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from casparian_flow.core.errors import CasparianError
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.store import job_ends
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store import runs as run_store
from casparian_flow.store import workers as worker_store
from casparian_flow.store.database import Database
from casparian_flow.store.meta import littered_sinks, next_incarnation, set_littered_sinks
from casparian_flow.store.rewrites import open_rewrites

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
        is_committing = connection.execute(job_store.COMMITTING).first() is not None
        is_clean = not (sinks or is_committing or open_rewrites(connection))
    database.incarnation = incarnation  # not before it is durable: a disk that failed is no later sentinel
    _clear(staging)
    if is_clean:
        with database.transaction() as connection:
            run_store.finish_all(connection, now_ns)
        return Recovered(incarnation)
    from casparian_flow.sentinel.commit.rolling import roll_forward  # noqa: PLC0415 - 0.3 s, and few starts need it
    from casparian_flow.sentinel.history.compaction import give_up_all  # noqa: PLC0415

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
    from casparian_flow.sentinel.history.compaction import give_up_all  # noqa: PLC0415 - see `recover`

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


def _clear(staging: Path) -> None:
    """Remove what workers left there; what somebody else removes meanwhile is as good as removed."""
    while staging.exists():
        with suppress(FileNotFoundError):
            shutil.rmtree(staging)
