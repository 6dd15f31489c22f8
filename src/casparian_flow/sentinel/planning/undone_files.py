"""Which files a replay leaves alone: what reading them again would bring back is what a person took out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.routes import routes_of
from casparian_flow.core.times import rfc3339
from casparian_flow.store import replays as replay_store
from casparian_flow.store import reversals as reversal_store


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoneFile:
    """A file of which a revert took rows out of a table, with who reverted it and on which day."""

    path: str
    table: str
    actor: str
    at: str

    @property
    def why(self) -> str:
        """Why it is not read again, and what reads it all the same."""
        return f"{self.table} was reverted by {self.actor} on {self.at}; run it with --force"


def undone_files(connection: Connection, jobs: Collection[int]) -> dict[int, UndoneFile]:
    """Those of these jobs that a replay may not do again, as no run does it either without being told to."""
    undone = defaultdict(list)
    for row in reversal_store.held(connection):
        undone[row.source_hash, row.parser_name].append(row)
    if not undone:
        return {}
    old = replay_store.old_jobs(connection, jobs)
    routes = {job: routes_of(row.routes) for job, row in old.items()}
    for row in replay_store.routes_showing(connection, old):  # a replay writes to every sink that shows the old rows
        routes[row.id] = routes_of(row.routes).and_also(routes[row.id])
    found: dict[int, UndoneFile] = {}
    for job, row in old.items():
        for each in undone.get((row.source_hash, row.parser_name), ()):
            if routes[job].mode_of(each.sink_uri, each.table_name) is not None:
                day = rfc3339(each.permitted_at_ns)[:10]
                found[job] = UndoneFile(path=row.path, table=each.table_name, actor=each.actor or "", at=day)
    return found
