"""The numbers of a home at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, and_, func, select

from casparian_flow.core.contracts import ContractState, Origin
from casparian_flow.core.jobs import JobState
from casparian_flow.core.proposals import State
from casparian_flow.core.reasons import SkipReason
from casparian_flow.core.replays import ReplayStage
from casparian_flow.store.tables import (
    contracts,
    decisions,
    jobs,
    materializations,
    proposals,
    replays,
)

JOBS_BY_STATE = select(jobs.c.state, func.count()).group_by(jobs.c.state)
_in_force = and_(contracts.c.table_name == materializations.c.table_name, contracts.c.state == ContractState.APPLIED)
TABLES = (
    select(
        materializations.c.table_name.label("table"),
        materializations.c.sink_uri.label("sink"),
        func.sum(materializations.c.accepted).label("rows"),
        func.sum(materializations.c.quarantined).label("quarantined"),
        func.count(func.distinct(materializations.c.source_hash)).label("files"),
        func.max(contracts.c.version).label("contract"),
        func.max(contracts.c.origin).label("origin"),
    )
    .select_from(materializations.outerjoin(contracts, _in_force))
    .where(materializations.c.is_current, materializations.c.table_name != "")
    .group_by(materializations.c.table_name, materializations.c.sink_uri)
    .order_by(materializations.c.table_name, materializations.c.sink_uri)
)
GAVE_UP = select(func.count()).where(decisions.c.reason == SkipReason.GAVE_UP)
WITHOUT_REVIEW = select(func.count()).where(
    contracts.c.state == ContractState.APPLIED, contracts.c.origin == Origin.ADOPTED
)
PROPOSED = select(func.count()).where(contracts.c.state == ContractState.PROPOSED)


PROPOSALS = (
    select(proposals.c.state, func.count())
    .where(proposals.c.state.in_((State.PROPOSED, State.DRAFT)))
    .group_by(proposals.c.state)
)


REPLAYS = select(func.count()).where(replays.c.stage.in_((ReplayStage.CANARY, ReplayStage.REST)))


def count_replays(connection: Connection) -> int:
    """The replays that are neither done nor stopped."""
    return int(connection.execute(REPLAYS).scalar_one())


def count_jobs(connection: Connection) -> dict[JobState, int]:
    """How many jobs are in each state."""
    counts = {JobState(state): count for state, count in connection.execute(JOBS_BY_STATE)}
    return {state: counts.get(state, 0) for state in JobState}


def list_tables(connection: Connection) -> Sequence[RowMapping]:
    """Every table in every sink: its current rows and the contract in force."""
    return connection.execute(TABLES).mappings().all()


def count_gave_up(connection: Connection) -> int:
    """Files that are not tried again until something about them changes."""
    return int(connection.execute(GAVE_UP).scalar_one())


def count_without_review(connection: Connection) -> int:
    """Contracts in force that no person looked at."""
    return int(connection.execute(WITHOUT_REVIEW).scalar_one())


def count_proposed(connection: Connection) -> int:
    """Contracts that wait for a person."""
    return int(connection.execute(PROPOSED).scalar_one())


def count_proposals(connection: Connection) -> dict[State, int]:
    """Proposals of every kind that wait for a decision, and drafts that nobody proposed yet."""
    counts = {State(state): count for state, count in connection.execute(PROPOSALS)}
    return {state: counts.get(state, 0) for state in (State.PROPOSED, State.DRAFT)}
