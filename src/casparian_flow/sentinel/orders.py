"""What a worker is told to do: claimed jobs made into an order."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, select

from casparian_flow.core.artifacts import ParserOrigin
from casparian_flow.core.contracts import Contract
from casparian_flow.core.routes import routes_of
from casparian_flow.protocol.messages import Dispatch, JobOrder, Limits
from casparian_flow.sentinel.registered import Registered, parser_order
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import locations, sources, versions

GROUP_FILES = 50
GROUP_BYTES = 128 << 20
"""A group costs one start of a process, about 0.3 s of CPU: as much as reading 20 to 50 MB."""
LEASE_NS = 15_000_000_000
OLDEST_EVERY = 8
"""Each eighth claim takes the oldest job whatever its priority, so that nothing starves."""

PLACES = (
    select(
        versions.c.id,
        locations.c.size,
        locations.c.mtime_ns,
        sources.c.root,
        locations.c.rel_path,
    )
    .join(locations, locations.c.id == versions.c.location_id)
    .join(sources, sources.c.id == locations.c.source_id)
)


class Dispatcher:
    """Claims jobs for idle workers and words the orders; small files of one shipped parser travel together."""

    def __init__(
        self, database: Database, parsers: Mapping[int, Registered], staging: str, limits: Limits, workers: int = 1
    ) -> None:
        """`workers` is among how many the last jobs should be shared."""
        self._database = database
        self._parsers = parsers
        self._staging = staging
        self._limits = limits
        self._workers = workers
        self._claims = 0

    def next_order(self, worker: str, contracts: Mapping[str, Contract], now_ns: int) -> Dispatch | None:
        """The next order for a worker, its jobs now `dispatched` to it; None when nothing is due."""
        self._claims += 1
        with self._database.transaction() as connection:
            first = job_store.claim(connection, worker, now_ns, LEASE_NS, oldest_first=self._claims % OLDEST_EVERY == 0)
            if first is None:
                return None
            group = [first]
            parser = self._parsers[first.parser_id]
            sizes = _places(connection, [first.version_id])
            if (
                parser.artifact.origin is ParserOrigin.SHIPPED
                and sizes[first.version_id].size <= job_store.LARGEST_GROUPED
            ):
                waiting = job_store.count_queued(connection, self._workers * (GROUP_FILES - 1))
                more = job_store.claim_alike(connection, first, worker, now_ns, LEASE_NS, waiting // self._workers)
                group += self._fit(connection, more, sizes)
            return self._word(first, parser, group, sizes, contracts, now_ns)

    def _fit(self, connection: Connection, more: Sequence[AnyRow], places: dict[int, AnyRow]) -> list[AnyRow]:
        """Those of the claimed jobs that fit into one group; the rest go back to the queue."""
        places |= _places(connection, [row.version_id for row in more])
        room = GROUP_BYTES - sum(
            place.size for place in places.values() if place.id not in {r.version_id for r in more}
        )
        fitting: list[AnyRow] = []
        for row in sorted(more, key=lambda row: row.id):
            if (size := places[row.version_id].size) <= room:
                fitting.append(row)
                room -= size
        kept = {row.id for row in fitting}
        job_store.put_back(connection, [row.id for row in more if row.id not in kept])
        return fitting

    def _word(
        self,
        first: AnyRow,
        parser: Registered,
        group: Sequence[AnyRow],
        places: Mapping[int, AnyRow],
        contracts: Mapping[str, Contract],
        now_ns: int,
    ) -> Dispatch:
        return Dispatch(
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
            staging=self._staging,
            limits=self._limits,
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


def _bases_of(table: str) -> list[str]:
    """The base names under which a table may have been asked for."""
    parts = table.split("__")
    return ["__".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _places(connection: Connection, ids: Sequence[int]) -> dict[int, AnyRow]:
    return {row.id: row for row in connection.execute(PLACES.where(versions.c.id.in_(ids)))}
