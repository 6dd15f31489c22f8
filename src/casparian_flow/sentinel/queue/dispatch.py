"""What a worker is told to do: claimed jobs made into an order that fits what it can."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import BUILT_IN, Modes
from casparian_flow.core.repairs import Repair
from casparian_flow.core.routes import Routes, routes_of
from casparian_flow.core.tables import table_from_output
from casparian_flow.protocol.bodies import Identify, Parse
from casparian_flow.protocol.messages import Carries, JobOrder, Limits
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.planning.registered import Registered, parser_order
from casparian_flow.sentinel.queue.carrying import Reading, carries_of
from casparian_flow.sentinel.queue.fairness import takes_oldest
from casparian_flow.sentinel.queue.lanes import bases_of, bases_of_all, exclusive, ordered_tables
from casparian_flow.sentinel.queue.leases import LEASE_NS
from casparian_flow.sentinel.queue.pace import Pace
from casparian_flow.sentinel.queue.sessions import Session
from casparian_flow.store import jobs as job_store
from casparian_flow.store import outputs as output_store
from casparian_flow.store import repairs as repair_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.views.file_places import places_of, roots

GROUP_BYTES = 128 << 20
"""Orders of 8 MiB took a tenth more CPU; see docs/decisions/0022-zygotes.md."""
ROOT = "root"
"""The label of a worker that sees only the sources at or below this folder."""


class Dispatcher:
    """Claims jobs for workers with room and words the orders; small files of one parser travel together."""

    def __init__(self) -> None:
        self._parsers: dict[int, Registered] = {}
        self._are_repairs = True
        self.pace = Pace()

    def look(self, connection: Connection) -> None:
        """Once before each round of orders: what need not be asked for every one of them."""
        self._are_repairs = repair_store.are_any(connection)

    def registered(self, connection: Connection, parser: int) -> Registered:
        """A parser by its id in the store: the same content and environment for ever."""
        if parser not in self._parsers:
            self._parsers[parser] = load_registered(connection, parser)
        return self._parsers[parser]

    def claim(
        self,
        connection: Connection,
        session: Session,
        parsers: Iterable[int],
        slots: int,
        now_ns: int,
        ordered: frozenset[str] = frozenset(),
    ) -> list[AnyRow]:
        """The next jobs for a worker, now `dispatched` to it; none when nothing is due that it can do.

        `parsers` are those that have jobs at all; `slots` is among how many the last jobs should be shared. Of the
        jobs that may land in one of the `ordered` tables one at a time is out, by itself.
        """
        allowed = self._allowed(connection, session.profile, parsers)
        busy = self._busy(connection, ordered)
        if busy:
            every = sorted(parsers) if allowed is None else allowed
            allowed = [each for each in every if self._names_files(connection, each, busy)]
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
            without=bases_of_all(busy),
        )
        if first is None:
            return []
        if first.failures:
            return [first]  # whatever made it fail must not stand in the way of others
        parser = self.registered(connection, first.parser_id)
        if exclusive(ordered, parser, first.base_table):
            return [first]
        others = self.pace.files(first.parser_id, shares_process=parser.manifest.shares_process) - 1
        if first.size > job_store.LARGEST_GROUPED or not slots or not others:
            return [first]
        waiting = job_store.count_queued(connection, slots * others)
        if waiting < slots:
            return [first]
        more = job_store.claim_alike(
            connection,
            first,
            session.name,
            session.nonce,
            now_ns,
            LEASE_NS,
            waiting // slots,
            sources=visible,
            without=bases_of_all(ordered),
        )
        return [first, *_fit(connection, more, GROUP_BYTES - first.size)]

    def _busy(self, connection: Connection, ordered: frozenset[str]) -> frozenset[str]:
        """The ordered tables that a job which is out may land in."""
        if not ordered:
            return ordered
        its = (
            exclusive(ordered, self.registered(connection, row.parser_id), row.base_table)
            for row in job_store.out(connection)
        )
        return frozenset[str]().union(*its)

    def _names_files(self, connection: Connection, number: int, busy: frozenset[str]) -> bool:
        """Whether a parser may have jobs that land in none of the busy tables: which these are tell their files."""
        parser = self.registered(connection, number)
        return parser.manifest.tables == "file" or not exclusive(busy, parser, "")

    def word(
        self,
        connection: Connection,
        group: Sequence[AnyRow],
        contracts: Mapping[str, Contract],
        limits: Limits,
        now_ns: int,
        key: PseudonymKey,
        modes: Modes = BUILT_IN,
    ) -> Parse:
        """The order to parse claimed jobs, which share parser, options and routes."""
        first = group[0]
        parser = self.registered(connection, first.parser_id)
        places = places_of(connection, [row.version_id for row in group])
        routes = routes_of(first.routes)
        compared = exclusive(ordered_tables(contracts), parser, first.base_table)
        superseded = _superseded(connection, routes, compared, first, parser.artifact.name) if compared else []
        repairs = self._repairs(connection, parser.artifact.name, group)
        relevant = relevant_contracts(parser, [row.base_table for row in group], contracts)
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
                    supersedes=superseded,
                    repairs=repairs.get(row.source_hash, []),
                    carries=_carries(connection, row, places[row.version_id].size, parser, routes, relevant, modes),
                )
                for row in group
            ],
            contracts=relevant,
            routes=routes,
            limits=limits,
            modes=modes,
            pseudonym_key=key.needed_by(relevant.values()),
        )

    def _repairs(self, connection: Connection, parser: str, group: Sequence[AnyRow]) -> Mapping[str, list[Repair]]:
        """The repairs that hold for each of these bytes; which they are is kept with every job that is told of them."""
        if not self._are_repairs:
            return {}
        found, ever = repair_store.of_files(connection, parser, [row.source_hash for row in group])
        for row in group:
            if row.source_hash in ever:
                repair_store.note_taken(connection, row.id, found.get(row.source_hash, []))
        return found

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

    A parser that names its tables itself brings those that it declares and those that were drafted from others of its,
    or else any; otherwise a table's name is the file's base name, alone or followed by `__`.
    """
    if parser.manifest.tables != "file":
        named = {table_from_output(output) for output in parser.manifest.outputs}
        return {
            table: each
            for table, each in contracts.items()
            if not named or table in named or parser.artifact.name in each.takes_undeclared
        }
    bases = set(base_tables)
    return {table: each for table, each in contracts.items() if not bases.isdisjoint(bases_of(table))}


def _carries(
    connection: Connection,
    job: AnyRow,
    size: int,
    parser: Registered,
    routes: Routes,
    contracts: Mapping[str, Contract],
    modes: Modes,
) -> Carries | None:
    """What a job may take over; an attempt after one that failed takes nothing over."""
    if job.carries is None or job.failures:
        return None
    reading = Reading(
        older=job.carries,
        source_hash=job.source_hash,
        size=size,
        config_hash=job.config_hash,
        base_table=job.base_table,
    )
    return carries_of(connection, reading, parser, routes, contracts, modes)


def _superseded(connection: Connection, routes: Routes, tables: Iterable[str], job: AnyRow, parser: str) -> list[int]:
    """The jobs whose rows go out of these tables with those that a job brings: no key is compared with theirs."""
    sinks = {routes.targets_of(table)[0].uri for table in tables}
    rows = [
        row
        for sink in sorted(sinks)
        for row in output_store.superseded_by(connection, sink, [job.id], [job.source_hash], parser)
    ]
    return sorted({row.job_id for row in rows})


def _fit(connection: Connection, more: Sequence[AnyRow], room: int) -> list[AnyRow]:
    """Those of the claimed jobs that fit into one group; the rest go back to the queue."""
    fitting: list[AnyRow] = []
    for row in sorted(more, key=lambda row: row.id):
        if row.size <= room:
            fitting.append(row)
            room -= row.size
    kept = {row.id for row in fitting}
    if len(kept) < len(more):
        job_store.put_back(connection, [row.id for row in more if row.id not in kept])
    return fitting


def _visible(connection: Connection, worker: Identify) -> list[int] | None:
    """The sources whose files a worker can open; None if it says nothing about that."""
    if (root := worker.labels.get(ROOT)) is None:
        return None
    folder = os.fsencode(root).rstrip(b"/")
    return [row.id for row in roots(connection) if row.root == folder or row.root.startswith(folder + b"/")]
