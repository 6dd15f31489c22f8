"""Parser artifacts with what they did."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, func, select

from casparian_flow.store.tables import jobs, parsers

PARSERS = select(
    parsers,
    select(func.count()).where(jobs.c.parser_id == parsers.c.id).scalar_subquery().label("jobs"),
).order_by(parsers.c.name, parsers.c.registered_at_ns.desc(), parsers.c.id.desc())


def list_parsers(connection: Connection) -> Sequence[RowMapping]:
    """Every artifact that was ever seen, by name, the newest first."""
    return connection.execute(PARSERS).mappings().all()
