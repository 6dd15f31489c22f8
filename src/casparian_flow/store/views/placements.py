"""Every table of every sink: what is visible of it, and how often it was committed to."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, select

from casparian_flow.core.contracts import ContractState
from casparian_flow.store.tables import commits, contracts, materializations

_committed = (
    select(
        commits.c.sink_uri,
        commits.c.table_name,
        # What one job, or one act without a job, wrote into both logs is one commit.
        func.count(func.distinct(func.coalesce(commits.c.job_id, -commits.c.permitted_at_ns))).label("snapshots"),
        func.max(commits.c.permitted_at_ns).label("last_ns"),
        func.max(commits.c.id).label("snapshot"),
    )
    .group_by(commits.c.sink_uri, commits.c.table_name)
    .subquery("committed")
)
_visible = (
    select(
        materializations.c.sink_uri,
        materializations.c.table_name,
        func.sum(materializations.c.accepted).label("rows"),
        func.sum(materializations.c.quarantined).label("quarantined"),
        func.sum(materializations.c.purged).label("purged"),
        func.count(func.distinct(materializations.c.source_hash)).label("files"),
        func.count(func.distinct(materializations.c.job_id)).label("jobs"),
    )
    .where(
        materializations.c.is_current,
        materializations.c.accepted + materializations.c.quarantined + materializations.c.purged > 0,
    )
    .group_by(materializations.c.sink_uri, materializations.c.table_name)
    .subquery("visible")
)
PLACEMENTS = (
    select(
        _committed,
        func.coalesce(_visible.c.rows, 0).label("rows"),
        func.coalesce(_visible.c.quarantined, 0).label("quarantined"),
        func.coalesce(_visible.c.purged, 0).label("purged"),
        func.coalesce(_visible.c.files, 0).label("files"),
        func.coalesce(_visible.c.jobs, 0).label("jobs"),
        contracts.c.version.label("contract"),
    )
    .select_from(
        _committed.outerjoin(
            _visible,
            and_(_visible.c.sink_uri == _committed.c.sink_uri, _visible.c.table_name == _committed.c.table_name),
        ).outerjoin(
            contracts,
            and_(contracts.c.table_name == _committed.c.table_name, contracts.c.state == ContractState.APPLIED),
        )
    )
    .order_by(_committed.c.table_name, _committed.c.sink_uri)
)
SINKS_OF = (
    select(commits.c.sink_uri)
    .where(commits.c.table_name == bindparam("table"))
    .group_by(commits.c.sink_uri)
    .order_by(func.max(commits.c.id).desc())
)
TABLES = select(commits.c.table_name).distinct().order_by(commits.c.table_name)


def placements(connection: Connection) -> Sequence[RowMapping]:
    """Every table in every sink that was ever committed to, by name."""
    return connection.execute(PLACEMENTS).mappings().all()


def sinks_of(connection: Connection, table: str) -> list[str]:
    """The sinks that hold a table, the one written to last first."""
    return list(connection.execute(SINKS_OF, {"table": table}).scalars())


def table_names(connection: Connection) -> list[str]:
    """Every table that was ever committed to, by name."""
    return list(connection.execute(TABLES).scalars())
