"""Connects to a control database file; does not know its migrations, so that reading starts fast."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, MetaData, Row, String, Table, create_engine, event, insert, select
from sqlalchemy.pool import StaticPool

from casparian_flow.store.prepared import driver_of, execute
from casparian_flow.store.tables import metadata

REVISION = "0005"
"""The newest migration: what a database must be at for this code to read it."""

AnyRow = Row[*tuple[Any, ...]]
"""A row of a statement whose columns are named where it is written."""

_revisions = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
LIVE_REVISION = select(_revisions.c.version_num)


@contextmanager
def open_read_only(path: Path) -> Iterator[Connection]:
    """A connection that cannot write, beside whoever does; a snapshot lasts as long as its transaction."""
    engine = make_engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def open_empty() -> Iterator[Connection]:
    """The database of a home where nothing has happened yet: every table, no row, in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    metadata.create_all(engine)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def is_blank(connection: Connection) -> bool:
    """Whether the file holds no table at all, as one does until its maker has committed."""
    return not connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()


def make_schema(connection: Connection) -> None:
    """Make every table in a blank database, as if all migrations had run."""
    metadata.create_all(connection, checkfirst=False)
    _revisions.create(connection, checkfirst=False)
    connection.execute(insert(_revisions).values(version_num=REVISION))


def live_revision(connection: Connection) -> str | None:
    """The migration that the database is at."""
    found: str | None = connection.execute(LIVE_REVISION).scalar()
    return found


def make_engine(path: Path, *, read_only: bool) -> Engine:
    """An engine over one connection to the file; writing makes the file if need be."""
    mode = "ro" if read_only else "rwc"
    uri = f"file:{_uri_path(path)}?mode={mode}"
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10),
        poolclass=StaticPool,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        if not read_only:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -65536")

    # The driver's own transaction control starts transactions too late for reads inside them to be stable.
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        execute(driver_of(connection), "BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _uri_path(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
