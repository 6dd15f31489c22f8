"""Files that did not land because too much of them was rejected: what was counted then."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, exists, func, literal_column, select, update

from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import jobs, locations, quarantine, versions

KEEP = update(jobs).where(jobs.c.id == bindparam("job")).values(hold=bindparam("text"))
_later = jobs.alias("later")
_there = locations.alias("there")
_now = versions.alias("there_now")
_landed = jobs.alias("landed")
_own = (
    select(func.coalesce(func.sum(quarantine.c.bytes), 0))
    .join(_landed, _landed.c.id == quarantine.c.job_id)
    .where(quarantine.c.is_current, _landed.c.source_hash == jobs.c.source_hash)
    .correlate(jobs)
    .scalar_subquery()
)
HELD = (
    select(jobs.c.id, jobs.c.error_code, jobs.c.hold, _own.label("own_bytes"))
    .where(
        jobs.c.hold.is_not(None),
        jobs.c.state == literal_column("'failed'"),
        ~exists(
            select(_later.c.id).where(
                _later.c.source_hash == jobs.c.source_hash,
                _later.c.parser_id == jobs.c.parser_id,
                _later.c.id > jobs.c.id,
                _later.c.state != literal_column("'aborted'"),
            )
        ),
        exists(
            select(_there.c.id)
            .join(_now, _now.c.id == _there.c.current_version_id)
            .where(_now.c.source_hash == jobs.c.source_hash, _there.c.is_missing.is_(False))
        ),
    )
    .order_by(jobs.c.id)
)


def keep(connection: Connection, job: int, text: str) -> None:
    """Keep what was judged of a job that may not land."""
    connection.execute(KEEP, {"job": job, "text": text})


def held(connection: Connection) -> Sequence[AnyRow]:
    """The newest hold of each file that is there, oldest first; `own_bytes` is what it has in quarantine already."""
    return connection.execute(HELD).all()
