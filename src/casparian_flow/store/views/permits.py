"""In the name of which job the rows of a job were committed: its own, unless one permit brought those of many."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Text, cast, func, select

from casparian_flow.store.tables import commits, jobs

_own = commits.alias("own_commits")
_asked = jobs.alias("asked_jobs")
_leader = jobs.alias("leading_jobs")


def committed_as(job: ColumnElement[int]) -> ColumnElement[int]:
    """The job under which the store keeps the commits of a job's rows; null if it brought no rows and leads nobody.

    What jobs of one plan bring by one permit is kept in the name of the first of them. Whose rows an entry brings
    stands in the entry.
    """
    named = commits.alias("named_commits")
    brought = func.json_each(cast(named.c.body, Text), "$.body.jobs").table_valued("value", name="brought_rows")
    together = (
        select(named.c.job_id)
        .join(_leader, _leader.c.id == named.c.job_id)
        .join(_asked, _asked.c.plan_id == _leader.c.plan_id)
        .join(brought, func.json_extract(brought.c.value, "$.job") == job)
        .where(_asked.c.id == job)
        .order_by(named.c.id)
        .limit(1)
        .correlate_except(named, _leader, _asked, brought)
        .scalar_subquery()
    )
    own = select(func.max(_own.c.job_id)).where(_own.c.job_id == job).correlate_except(_own).scalar_subquery()
    return func.coalesce(own, together)
