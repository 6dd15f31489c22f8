"""Opens the control database: one writer, readers beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.store import migrate

FILE_NAME = "state.sqlite3"


class Database:
    """The control database of one home, held open by the one thread that may write it."""

    def __init__(self, path: Path) -> None:
        """Open or create the database and bring its schema up to date."""
        self.path = path
        self._engine = _engine(path, read_only=False)
        try:
            self.connection = self._engine.connect()
            migrate.upgrade(self.connection)
        except Exception as exc:
            self._engine.dispose()
            raise VerificationFailed(
                "the control database cannot be opened",
                where=str(path),
                why=str(exc).splitlines()[0],
                fix="casparian doctor",
            ) from exc

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One durable transaction: everything in it, or nothing."""
        with self.connection.begin():
            yield self.connection

    @property
    def driver(self) -> sqlite3.Connection:
        """The driver's own connection, for bulk statements inside a transaction."""
        raw = self.connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        return raw

    def close(self) -> None:
        """Give the file back; the write-ahead log is folded in."""
        self.connection.close()
        self._engine.dispose()


@contextmanager
def open_read_only(path: Path) -> Iterator[Connection]:
    """A connection that cannot write, beside whoever does; a snapshot lasts as long as its transaction."""
    engine = _engine(path, read_only=True)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _engine(path: Path, *, read_only: bool) -> Engine:
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
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _uri_path(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
