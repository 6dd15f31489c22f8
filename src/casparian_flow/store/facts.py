"""What a commit needs to know of a job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, select

from casparian_flow.core.routes import Routes, routes_of
from casparian_flow.store.prepared import Prepared, each_of, listed
from casparian_flow.store.tables import jobs, parsers

FACTS = Prepared(
    select(
        jobs.c.id,
        jobs.c.attempt,
        jobs.c.plan_id,
        jobs.c.source_hash,
        jobs.c.config_hash,
        jobs.c.routes,
        jobs.c.receipt,
        jobs.c.state,
        jobs.c.session,
        jobs.c.parser_id,
        jobs.c.base_table,
        jobs.c.carries,
        parsers.c.name.label("parser_name"),
        parsers.c.artifact_hash,
        parsers.c.env_hash,
    )
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.id.in_(each_of("jobs")))
)


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One job with its parser and its routes.

    `receipt` is the JSON of the attempt that is held or has the permit, `session` the worker's that has or had it.
    """

    id: int
    attempt: int
    plan_id: int
    source_hash: str
    config_hash: str
    routes: Routes
    receipt: str | None
    state: str
    session: str | None
    parser_id: int
    base_table: str
    carries: int | None
    parser_name: str
    artifact_hash: str
    env_hash: str


def facts_of_all(connection: Connection, of_jobs: Sequence[int]) -> list[Facts]:
    """The facts of jobs that are known to be there, in this order."""
    found = {each.id: each for each in _facts(connection, of_jobs)}
    return [found[job] for job in of_jobs]


def find_facts(connection: Connection, job: int) -> Facts | None:
    """The facts of a job; None if there is none of that id."""
    return next(_facts(connection, [job]), None)


def facts_of(connection: Connection, job: int) -> Facts:
    """The facts of a job that is known to be there."""
    return facts_of_all(connection, [job])[0]


def _facts(connection: Connection, of_jobs: Sequence[int]) -> Iterator[Facts]:
    for row in FACTS.rows(connection, jobs=listed(of_jobs)):
        yield Facts(**row._asdict() | {"routes": routes_of(row.routes)})
