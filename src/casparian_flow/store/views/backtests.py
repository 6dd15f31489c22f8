"""Backtests as they were kept, and the past of files by which the worst are read first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, case, func, select

from casparian_flow.core.jobs import JobState
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import each_of
from casparian_flow.store.replays import Expected
from casparian_flow.store.tables import backtest_files, backtests, jobs, locations, materializations, parsers, versions

LIST = select(backtests).order_by(backtests.c.id.desc())
BY_ID = select(backtests).where(backtests.c.id == bindparam("backtest"))
NEWEST = select(backtests.c.id).order_by(backtests.c.id.desc()).limit(1).offset(bindparam("skip"))
FILES = (
    select(backtest_files, locations.c.display.label("path"))
    .join(versions, versions.c.id == backtest_files.c.version_id)
    .join(locations, locations.c.id == versions.c.location_id)
    .where(backtest_files.c.backtest_id == bindparam("backtest"))
    .order_by(backtest_files.c.ordinal)
)
EXPECTED = (
    select(versions.c.source_hash, backtest_files.c.expected)
    .join(versions, versions.c.id == backtest_files.c.version_id)
    .where(backtest_files.c.backtest_id == bindparam("backtest"), versions.c.source_hash.in_(each_of("hashes")))
    .order_by(backtest_files.c.ordinal)
)
UNTRIED = (
    select(func.count(materializations.c.source_hash.distinct()))
    .where(materializations.c.parser_name == bindparam("of"), materializations.c.is_current)
    .where(
        materializations.c.source_hash.not_in(
            select(versions.c.source_hash)
            .join(backtest_files, backtest_files.c.version_id == versions.c.id)
            .where(backtest_files.c.backtest_id == bindparam("backtest"), versions.c.source_hash.is_not(None))
        )
    )
)
_failed = case((jobs.c.state == JobState.FAILED, 1), else_=0)
PASTS = select(jobs.c.source_hash, func.sum(_failed).label("failures"), func.max(jobs.c.id).label("newest")).group_by(
    jobs.c.source_hash
)
FAILED_LAST = select(jobs.c.source_hash).where(
    jobs.c.state == JobState.FAILED,
    jobs.c.id.in_(select(func.max(jobs.c.id)).group_by(jobs.c.source_hash)),
)
ASKED_FOR = (
    select(jobs.c.source_hash, jobs.c.base_table, jobs.c.config, jobs.c.config_hash)
    .join(parsers, parsers.c.id == jobs.c.parser_id)
    .where(parsers.c.name == bindparam("of"))
    .order_by(jobs.c.id)
)
THERE = (
    select(materializations)
    .where(
        materializations.c.parser_name == bindparam("of"),
        materializations.c.is_current,
    )
    .order_by(materializations.c.source_hash, materializations.c.table_name, materializations.c.id)
)
LANDED = (
    select(materializations.c.source_hash)
    .distinct()
    .where(and_(materializations.c.parser_name == bindparam("of"), materializations.c.is_current))
)


def list_backtests(connection: Connection) -> Sequence[RowMapping]:
    """Every backtest, newest first."""
    return connection.execute(LIST).mappings().all()


def one(connection: Connection, backtest: int) -> RowMapping | None:
    """A backtest by its number; None if there is none."""
    return connection.execute(BY_ID, {"backtest": backtest}).mappings().one_or_none()


def nth_newest(connection: Connection, skip: int) -> int | None:
    """The newest backtest, or the one so many before it."""
    found: int | None = connection.execute(NEWEST, {"skip": skip}).scalar()
    return found


def files_of(connection: Connection, backtest: int) -> Sequence[RowMapping]:
    """Every file of a backtest with its path, in the order in which they had their turn."""
    return connection.execute(FILES, {"backtest": backtest}).mappings().all()


def expected(connection: Connection, backtest: int, hashes: Iterable[str]) -> dict[str, dict[str, Expected]]:
    """What a backtest says that these bytes bring to each table; nothing of those that it cannot say it of."""
    asked = {"backtest": backtest, "hashes": json.dumps(sorted(hashes))}
    return {
        row.source_hash: msgspec.json.decode(row.expected, type=dict[str, Expected])
        for row in connection.execute(EXPECTED, asked)
    }


def untried(connection: Connection, backtest: int, parser: str) -> int:
    """How many bytes that the parser has brought rows of, or read to their end, the backtest did not look at."""
    return int(connection.execute(UNTRIED, {"backtest": backtest, "of": parser}).scalar_one())


def failures(connection: Connection) -> dict[str, int]:
    """How many jobs over the same bytes failed, by hash; those without any are not there."""
    return {row.source_hash: int(row.failures) for row in connection.execute(PASTS) if row.failures}


def failed_last(connection: Connection) -> frozenset[str]:
    """The bytes whose newest job failed."""
    return frozenset(connection.execute(FAILED_LAST).scalars())


def asked_for(connection: Connection, parser: str) -> dict[str, AnyRow]:
    """The table that the newest job of a parser asked for and its options, by hash."""
    return {row.source_hash: row for row in connection.execute(ASKED_FOR, {"of": parser})}


def landed_by(connection: Connection, parser: str) -> frozenset[str]:
    """The bytes that a parser read to their end, whether they held rows or not."""
    return frozenset(connection.execute(LANDED, {"of": parser}).scalars())


def there(connection: Connection, parser: str) -> Sequence[AnyRow]:
    """What is visible now of everything that a parser brought, by hash and table; of an empty file the table is ''."""
    return connection.execute(THERE, {"of": parser}).all()
