"""Parser artifacts that were seen, each at its content and environment."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from casparian_flow.core.artifacts import ParserArtifact, ParserOrigin, ParserStatus
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tables import parsers

FIND = select(parsers.c.id, parsers.c.status, parsers.c.path).where(
    parsers.c.name == bindparam("name"),
    parsers.c.artifact_hash == bindparam("artifact"),
    parsers.c.env_hash == bindparam("environment"),
)
MOVE = update(parsers).where(parsers.c.id == bindparam("parser")).values(path=bindparam("to"))
TRUST_SHIPPED = update(parsers).where(parsers.c.id == bindparam("parser")).values(status=ParserStatus.ACTIVE)
"""The product's own parsers are trusted as it is; all others become active by an applied proposal alone."""
BY_ID = select(parsers).where(parsers.c.id == bindparam("parser"))
COUNT_FAILURE = (
    update(parsers)
    .where(parsers.c.id == bindparam("parser"))
    .values(failures=parsers.c.failures + 1)
    .returning(parsers.c.failures)
)
CLEAR_FAILURES = update(parsers).where(parsers.c.id == bindparam("parser"), parsers.c.failures > 0).values(failures=0)
PAUSE = (
    update(parsers)
    .where(parsers.c.id == bindparam("parser"), parsers.c.paused_at_ns.is_(None))
    .values(paused_at_ns=bindparam("now_ns"))
)
PAUSED = select(parsers.c.id).where(parsers.c.paused_at_ns.is_not(None))


def describe(connection: Connection, parser: int) -> AnyRow:
    """Everything that is kept of a registered artifact."""
    return connection.execute(BY_ID, {"parser": parser}).one()


def count_failure(connection: Connection, parser: int) -> int:
    """One more job failed by the parser's own doing; how many in a row that makes."""
    return int(connection.execute(COUNT_FAILURE, {"parser": parser}).scalar_one())


def clear_failures(connection: Connection, parser: int) -> None:
    """A job of the parser landed."""
    connection.execute(CLEAR_FAILURES, {"parser": parser})


def pause(connection: Connection, parser: int, now_ns: int) -> bool:
    """Let no job of the parser begin; false if it is paused already."""
    return connection.execute(PAUSE, {"parser": parser, "now_ns": now_ns}).rowcount == 1


def paused(connection: Connection) -> frozenset[int]:
    """The artifacts of which no job may begin."""
    return frozenset(connection.execute(PAUSED).scalars())


TRUSTED = select(parsers.c.name).where(
    parsers.c.origin == ParserOrigin.PLUGIN, parsers.c.status.in_((ParserStatus.ACTIVE, ParserStatus.DEPRECATED))
)
PATH = select(parsers.c.path).where(parsers.c.name == bindparam("of")).order_by(parsers.c.id.desc()).limit(1)
RESUME = (
    update(parsers)
    .where(parsers.c.name == bindparam("of"), parsers.c.paused_at_ns.is_not(None))
    .values(paused_at_ns=None, failures=0)
    .returning(parsers.c.version)
)


def register(connection: Connection, artifact: ParserArtifact, manifest: str, now_ns: int) -> tuple[int, ParserStatus]:
    """The id of an artifact and whether it may run by itself, remembered at first sight.

    Where it lies is kept up to date. What is not shipped with the product begins as pending, also where only its
    content or its environment is new; once active, exactly that stays so wherever it is found.
    """
    found = connection.execute(
        FIND,
        {"name": artifact.name, "artifact": artifact.artifact_hash, "environment": artifact.env_hash},
    ).first()
    if found is not None:
        if found.path != artifact.path:
            connection.execute(MOVE, {"parser": found.id, "to": artifact.path})
        if artifact.origin is ParserOrigin.SHIPPED and found.status != ParserStatus.ACTIVE:
            connection.execute(TRUST_SHIPPED, {"parser": found.id})
            return int(found.id), ParserStatus.ACTIVE
        return int(found.id), ParserStatus(found.status)
    status = ParserStatus.ACTIVE if artifact.origin is ParserOrigin.SHIPPED else ParserStatus.PENDING
    number = int(
        connection.execute(
            insert(parsers).returning(parsers.c.id),
            {
                "name": artifact.name,
                "version": artifact.version,
                "artifact_hash": artifact.artifact_hash,
                "env_hash": artifact.env_hash,
                "path": artifact.path,
                "origin": artifact.origin,
                "status": status,
                "manifest": manifest,
                "registered_at_ns": now_ns,
            },
        ).scalar_one()
    )
    return number, status


def resume(connection: Connection, name: str) -> list[str]:
    """Let every version of a parser run again that is paused; which they were."""
    return sorted(connection.execute(RESUME, {"of": name}).scalars())


def trusted(connection: Connection) -> frozenset[str]:
    """The names of plugins of which a version is active, or was until a later one came."""
    return frozenset(connection.execute(TRUSTED).scalars())


def newest_path(connection: Connection, name: str) -> str | None:
    """Where the artifact of a parser lies that was registered last; None if there is none of that name."""
    path: str | None = connection.execute(PATH, {"of": name}).scalar()
    return path
