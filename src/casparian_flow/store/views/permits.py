"""In the name of which job the rows of a job were committed: its own, unless one permit brought those of many."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, func, select

from casparian_flow.store.tables import commits, jobs, materializations

_own = commits.alias("own_commits")
_asked = jobs.alias("asked_jobs")
_leader = jobs.alias("leading_jobs")
_brought = materializations.alias("brought_rows")


def committed_as(job: ColumnElement[int]) -> ColumnElement[int]:
    """The job under which the store keeps the commits of a job's rows; null if it brought no rows.

    Jobs that replace are permitted together, last of their plan, in the name of the first of them.
    """
    together = (
        select(func.max(commits.c.id))
        .join(_leader, _leader.c.id == commits.c.job_id)
        .join(_asked, _asked.c.plan_id == _leader.c.plan_id)
        .where(_asked.c.id == job)
        .where(exists().where(_brought.c.job_id == job, _brought.c.accepted + _brought.c.quarantined > 0))
        .correlate_except(commits, _leader, _asked)
        .scalar_subquery()
    )
    own = select(func.max(_own.c.id)).where(_own.c.job_id == job).correlate_except(_own).scalar_subquery()
    named = commits.alias("named_commits")
    return (
        select(named.c.job_id)
        .where(named.c.id == func.coalesce(own, together))
        .correlate_except(named)
        .scalar_subquery()
    )
