"""Parser artifacts with what they did."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from casparian_flow.core.jobs import PAUSED, JobState
from casparian_flow.store.tables import jobs, locations, parsers

PARSERS = select(
    parsers,
    select(func.count()).where(jobs.c.parser_id == parsers.c.id).scalar_subquery().label("jobs"),
).order_by(parsers.c.name, parsers.c.registered_at_ns.desc(), parsers.c.id.desc())

FAILED = (
    select(jobs, locations.c.display.label("path"))
    .select_from(
        jobs.join(parsers, parsers.c.id == jobs.c.parser_id).join(locations, locations.c.id == jobs.c.location_id)
    )
    .where(parsers.c.name == bindparam("of"), jobs.c.state == JobState.FAILED)
    .where(jobs.c.error_code.in_(bindparam("codes", expanding=True)))
    .order_by(jobs.c.finished_at_ns.desc(), jobs.c.id.desc())
    .limit(bindparam("most"))
)
REFUSED = (
    select(func.count())
    .select_from(jobs.join(parsers, parsers.c.id == jobs.c.parser_id))
    .where(parsers.c.name == bindparam("of"), jobs.c.state == JobState.REJECTED, jobs.c.error_code == PAUSED)
    .where(parsers.c.paused_at_ns.is_not(None), jobs.c.finished_at_ns >= parsers.c.paused_at_ns)
)
COUNT_PAUSED = select(func.count(func.distinct(parsers.c.name))).where(parsers.c.paused_at_ns.is_not(None))


def failed_in(connection: Connection, name: str, codes: Sequence[str], most: int) -> Sequence[RowMapping]:
    """The newest jobs of a parser that failed with one of these codes."""
    return connection.execute(FAILED, {"of": name, "codes": codes, "most": most}).mappings().all()


def count_refused(connection: Connection, name: str) -> int:
    """The jobs of a parser that were refused since it is paused."""
    return int(connection.execute(REFUSED, {"of": name}).scalar_one())


def count_paused(connection: Connection) -> int:
    """Parsers that are paused in some version."""
    return int(connection.execute(COUNT_PAUSED).scalar_one())


def list_parsers(connection: Connection) -> Sequence[RowMapping]:
    """Every artifact that was ever seen, by name, the newest first."""
    return connection.execute(PARSERS).mappings().all()
