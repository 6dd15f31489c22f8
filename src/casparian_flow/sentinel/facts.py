"""What a commit needs to know of a job."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from casparian_flow.core.routes import Routes, routes_of
from casparian_flow.store.prepared import Prepared
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
        parsers.c.name.label("parser_name"),
        parsers.c.artifact_hash,
        parsers.c.env_hash,
    )
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.id == bindparam("job"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
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
    parser_name: str
    artifact_hash: str
    env_hash: str


def find_facts(connection: Connection, job: int) -> Facts | None:
    """The facts of a job; None if there is none of that id."""
    found = FACTS.row(connection, job=job)
    return None if found is None else Facts(**found._asdict() | {"routes": routes_of(found.routes)})


def facts_of(connection: Connection, job: int) -> Facts:
    """The facts of a job that is known to be there."""
    facts = find_facts(connection, job)
    assert facts is not None
    return facts
