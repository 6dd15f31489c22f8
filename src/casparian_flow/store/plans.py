"""Plans and their decisions: for every file, whether it runs or is skipped, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, String, bindparam, cast, exists, func, insert, literal_column, select

from casparian_flow.store.database import Database
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import equivalences, jobs, locations, materializations, parsers, plans, versions

_others = materializations.alias("others")
_is_shown_elsewhere = exists(
    select(_others.c.id).where(_others.c.job_id == materializations.c.job_id, _others.c.is_current.is_(True))
)
_proof = (
    select(
        func.coalesce(
            literal_column("'backtest B-'").concat(equivalences.c.backtest_id),
            literal_column("'amendment A-'").concat(equivalences.c.proposal_id),
            equivalences.c.basis,
        )
    )
    .where(equivalences.c.materialization_id == materializations.c.id)
    .where(equivalences.c.new_key == materializations.c.key)
    .order_by(equivalences.c.id.desc())
    .limit(1)
    .correlate(materializations)
    .scalar_subquery()
)
DONE = (
    select(
        materializations.c.source_hash,
        materializations.c.parser_name,
        materializations.c.artifact_hash,
        materializations.c.env_hash,
        materializations.c.config_hash,
        materializations.c.sink_uri,
        materializations.c.sink_mode,
        materializations.c.table_name,
        materializations.c.contract_hash,
        materializations.c.is_current,
        materializations.c.job_id,
        materializations.c.modes,
        jobs.c.version_id,
        jobs.c.repairs,
        _proof.label("proof"),
    )
    .join(jobs, jobs.c.id == materializations.c.job_id)
    .where(materializations.c.is_current.is_(True) | _is_shown_elsewhere)
    .order_by(materializations.c.job_id)
)
UNFINISHED = (
    select(
        jobs.c.source_hash,
        parsers.c.name.label("parser_name"),
        parsers.c.artifact_hash,
        parsers.c.env_hash,
        jobs.c.config_hash,
        jobs.c.state,
        jobs.c.error_code,
        jobs.c.error_message,
        jobs.c.id,
    )
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.state.in_(("failed", "rejected", "aborted")))
    .order_by(jobs.c.id)
)
OPEN = (
    select(
        jobs.c.source_hash,
        parsers.c.name.label("parser_name"),
        parsers.c.artifact_hash,
        parsers.c.env_hash,
        jobs.c.config_hash,
        jobs.c.routes,
        jobs.c.id,
    )
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(jobs.c.state.in_(("queued", "dispatched", "running", "committing")))
    .order_by(jobs.c.id)
)
EARLIER_VERSIONS = (
    select(versions.c.location_id, versions.c.source_hash)
    .join(locations, locations.c.id == versions.c.location_id)
    .where(versions.c.id != locations.c.current_version_id)
)
NEWEST = select(plans.c.id).order_by(plans.c.id.desc()).limit(1).offset(bindparam("skip"))
WITH_PREFIX = (
    select(plans.c.id).where(cast(plans.c.id, String).startswith(bindparam("prefix"))).order_by(plans.c.id).limit(5)
)
SAVED = select(plans).where(plans.c.id == bindparam("plan"))

_UPSERT = """
INSERT INTO cf_decisions (location_id, plan_id, version_id, action, reason, detail, parser)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (location_id) DO UPDATE SET
    plan_id = excluded.plan_id, version_id = excluded.version_id, action = excluded.action,
    reason = excluded.reason, detail = excluded.detail, parser = excluded.parser
WHERE (version_id, action, reason, detail, parser)
    IS NOT (excluded.version_id, excluded.action, excluded.reason, excluded.detail, excluded.parser)
"""


def done(connection: Connection) -> Sequence[AnyRow]:
    """Everything that jobs brought of which some rows are current, oldest first."""
    return connection.execute(DONE).all()


def unfinished(connection: Connection) -> Sequence[AnyRow]:
    """Jobs that ended without landing, oldest first."""
    return connection.execute(UNFINISHED).all()


def open_jobs(connection: Connection) -> Sequence[AnyRow]:
    """Jobs that are not over, oldest first."""
    return connection.execute(OPEN).all()


def earlier_hashes(connection: Connection) -> dict[int, frozenset[str]]:
    """The bytes that each location carried before its current version, for locations that changed."""
    found: dict[int, set[str]] = defaultdict(set)
    for location, source_hash in connection.execute(EARLIER_VERSIONS):
        found[location].add(source_hash)
    return {location: frozenset(hashes) for location, hashes in found.items()}


def save(connection: Connection, plan: int, now_ns: int, request: str, fingerprint: str, summary: str) -> None:
    """Keep a plan so that it can be run as it is, or be refused as stale."""
    connection.execute(
        insert(plans),
        {"id": plan, "made_at_ns": now_ns, "request": request, "fingerprint": fingerprint, "summary": summary},
    )


def saved(connection: Connection, plan: int) -> AnyRow | None:
    """A saved plan, or None."""
    return connection.execute(SAVED, {"plan": plan}).first()


def nth_newest(connection: Connection, skip: int) -> int | None:
    """The newest plan, or the one so many before it."""
    found: int | None = connection.execute(NEWEST, {"skip": skip}).scalar()
    return found


def with_prefix(connection: Connection, prefix: str) -> list[int]:
    """The first few plans whose id begins with these digits."""
    return list(connection.execute(WITH_PREFIX, {"prefix": prefix}).scalars())


def decide(database: Database, rows: Iterable[tuple[int, int, int | None, str, str, str, str | None]]) -> None:
    """Keep the newest decision of each location: (location, plan, version, action, reason, detail, parser).

    A decision that says the same as before is not written again. Call inside a transaction.
    """
    database.driver.executemany(_UPSERT, rows)
