"""Rejected rows that other versions of a parser left, and which files have tags."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, bindparam, select

from casparian_flow.core.quarantine import OPEN_STATES
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import each_of
from casparian_flow.store.tables import jobs, parsers, quarantine, tags, versions

_new = parsers.alias("new_parsers")
WAITING_FOR = (
    select(
        quarantine.c.job_id,
        quarantine.c.reference,
        quarantine.c.table_name,
        quarantine.c.rows,
        jobs.c.source_hash,
        jobs.c.location_id,
        jobs.c.parser_id,
        versions.c.size,
    )
    .select_from(
        quarantine.join(jobs, jobs.c.id == quarantine.c.job_id)
        .join(versions, versions.c.id == jobs.c.version_id)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
        .join(_new, _new.c.name == parsers.c.name)
    )
    .where(_new.c.id == bindparam("parser"), parsers.c.id != _new.c.id)
    .where(quarantine.c.is_current, quarantine.c.state.in_(OPEN_STATES))
    .order_by(quarantine.c.job_id, quarantine.c.reference)
)
TAGGED = (
    select(tags.c.location_id)
    .distinct()
    .where(tags.c.location_id.in_(each_of("locations")), tags.c.tag.in_(each_of("names")))
)


def waiting_for(connection: Connection, parser: int) -> Sequence[AnyRow]:
    """The rejected rows that wait, by job and cause, of files that other artifacts of the same parser read."""
    return connection.execute(WAITING_FOR, {"parser": parser}).all()


def tagged(connection: Connection, locations: Iterable[int], names: Iterable[str]) -> set[int]:
    """Those of the locations that have one of these tags."""
    asked = {"locations": json.dumps(sorted(locations)), "names": json.dumps(sorted(names))}
    return set(connection.execute(TAGGED, asked).scalars())
