"""What a worker is told to do: claimed jobs made into an order that fits what it can."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, select

from casparian_flow.core.contracts import Contract
from casparian_flow.core.routes import routes_of
from casparian_flow.protocol.bodies import Identify, Parse
from casparian_flow.protocol.messages import JobOrder, Limits
from casparian_flow.sentinel.catalog import load_registered
from casparian_flow.sentinel.fairness import takes_oldest
from casparian_flow.sentinel.leases import LEASE_NS
from casparian_flow.sentinel.pace import Pace
from casparian_flow.sentinel.registered import Registered, parser_order
from casparian_flow.sentinel.sessions import Session
from casparian_flow.store import jobs as job_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import Prepared
from casparian_flow.store.tables import locations, sources, versions

GROUP_BYTES = 128 << 20
"""Orders of 8 MiB took a tenth more CPU; see docs/decisions/0022-zygotes.md."""
ROOT = "root"
"""The label of a worker that sees only the sources at or below this folder."""

PLACES = Prepared(
    select(
        versions.c.id,
        locations.c.size,
        locations.c.mtime_ns,
        sources.c.root,
        locations.c.rel_path,
    )
    .join(locations, locations.c.id == versions.c.location_id)
    .join(sources, sources.c.id == locations.c.source_id)
    .where(versions.c.id.in_(select(func.json_each(bindparam("ids")).table_valued("value").c.value)))
)
ROOTS = select(sources.c.id, sources.c.root)


class Dispatcher:
    """Claims jobs for workers with room and words the orders; small files of one parser travel together."""

    def __init__(self) -> None:
        self._parsers: dict[int, Registered] = {}
        self.pace = Pace()

    def registered(self, connection: Connection, parser: int) -> Registered:
        """A parser by its id in the store: the same content and environment for ever."""
        if parser not in self._parsers:
            self._parsers[parser] = load_registered(connection, parser)
        return self._parsers[parser]

    def claim(
        self, connection: Connection, session: Session, parsers: Iterable[int], slots: int, now_ns: int
    ) -> list[AnyRow]:
        """The next jobs for a worker, now `dispatched` to it; none when nothing is due that it can do.

        `parsers` are those that have jobs at all; `slots` is among how many the last jobs should be shared.
        """
        allowed = self._allowed(connection, session.profile, parsers)
        visible = _visible(connection, session.profile)
        if allowed == [] or visible == []:
            return []
        session.claims += 1
        first = job_store.claim(
            connection,
            session.name,
            session.nonce,
            now_ns,
            LEASE_NS,
            oldest_first=takes_oldest(session.claims),
            parsers=allowed,
            sources=visible,
        )
        if first is None:
            return []
        if first.failures:
            return [first]  # whatever made it fail must not stand in the way of others
        parser = self.registered(connection, first.parser_id)
        others = self.pace.files(first.parser_id, shares_process=parser.manifest.shares_process) - 1
        size = places_of(connection, [first.version_id])[first.version_id].size
        waiting = job_store.count_queued(connection, slots * others) if slots else 0
        if size > job_store.LARGEST_GROUPED or waiting < slots or not slots or not others:
            return [first]
        more = job_store.claim_alike(
            connection, first, session.name, session.nonce, now_ns, LEASE_NS, waiting // slots, sources=visible
        )
        return [first, *_fit(connection, more, GROUP_BYTES - size)]

    def word(
        self,
        connection: Connection,
        group: Sequence[AnyRow],
        contracts: Mapping[str, Contract],
        limits: Limits,
        now_ns: int,
    ) -> Parse:
        """The order to parse claimed jobs, which share parser, options and routes."""
        first = group[0]
        parser = self.registered(connection, first.parser_id)
        places = places_of(connection, [row.version_id for row in group])
        return Parse(
            parser=parser_order(parser, json.loads(first.config)),
            jobs=[
                JobOrder(
                    job=row.id,
                    attempt=row.attempt,
                    path=places[row.version_id].root.rstrip(b"/") + b"/" + places[row.version_id].rel_path,
                    size=places[row.version_id].size,
                    mtime_ns=places[row.version_id].mtime_ns,
                    source_hash=row.source_hash,
                    file_version=row.version_id,
                    base_table=row.base_table,
                    processed_at_ns=now_ns,
                )
                for row in group
            ],
            contracts=relevant_contracts(parser, [row.base_table for row in group], contracts),
            routes=routes_of(first.routes),
            limits=limits,
        )

    def _allowed(self, connection: Connection, worker: Identify, parsers: Iterable[int]) -> list[int] | None:
        """The parsers that a worker may and can run; None if it can run all of them."""
        if not (worker.parsers or worker.environments):
            return None
        every = sorted(parsers)
        can = [number for number in every if self._can_run(connection, worker, number)]
        return None if can == every else can

    def _can_run(self, connection: Connection, worker: Identify, number: int) -> bool:
        artifact = self.registered(connection, number).artifact
        return (not worker.parsers or artifact.name in worker.parsers) and (
            not worker.environments or artifact.env_hash in worker.environments
        )


def relevant_contracts(
    parser: Registered, base_tables: Collection[str], contracts: Mapping[str, Contract]
) -> dict[str, Contract]:
    """The contracts of every table that these files may belong to.

    A parser that names its tables itself may bring any; otherwise a table's name is the file's base name, alone or
    followed by `__`.
    """
    if parser.manifest.tables != "file":
        return dict(contracts)
    bases = set(base_tables)
    return {table: each for table, each in contracts.items() if not bases.isdisjoint(_bases_of(table))}


def places_of(connection: Connection, version_ids: Sequence[int]) -> dict[int, AnyRow]:
    """Where these file versions lie."""
    return {row.id: row for row in PLACES.rows(connection, ids=json.dumps(list(version_ids)))}


def _fit(connection: Connection, more: Sequence[AnyRow], room: int) -> list[AnyRow]:
    """Those of the claimed jobs that fit into one group; the rest go back to the queue."""
    places = places_of(connection, [row.version_id for row in more])
    fitting: list[AnyRow] = []
    for row in sorted(more, key=lambda row: row.id):
        if (size := places[row.version_id].size) <= room:
            fitting.append(row)
            room -= size
    kept = {row.id for row in fitting}
    job_store.put_back(connection, [row.id for row in more if row.id not in kept])
    return fitting


def _visible(connection: Connection, worker: Identify) -> list[int] | None:
    """The sources whose files a worker can open; None if it says nothing about that."""
    if (root := worker.labels.get(ROOT)) is None:
        return None
    folder = os.fsencode(root).rstrip(b"/")
    return [row.id for row in connection.execute(ROOTS) if row.root == folder or row.root.startswith(folder + b"/")]


def _bases_of(table: str) -> list[str]:
    """The base names under which a table may have been asked for."""
    parts = table.split("__")
    return ["__".join(parts[:count]) for count in range(1, len(parts) + 1)]
