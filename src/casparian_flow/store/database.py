"""Opens the control database: one writer, readers beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from casparian_flow.core.errors import SentinelSuperseded, VerificationFailed
from casparian_flow.store.engine import (
    REVISION,
    is_blank,
    live_revision,
    make_engine,
    make_schema,
    open_read_only,
)
from casparian_flow.store.meta import INCARNATION, meta_value
from casparian_flow.store.prepared import driver_of, execute
from casparian_flow.store.trouble import translated, unavailable
from casparian_flow.store.turn import Turn

__all__ = ["FILE_NAME", "Database", "open_read_only"]

FILE_NAME = "state.sqlite3"


class Database:
    """The control database of one home, held open by one thread of the process that may write it.

    Threads of that process have one each and take turns. With an `incarnation` every transaction first makes sure
    that no later sentinel has taken the home over.
    """

    def __init__(self, path: Path, turn: Turn | None = None, incarnation: int | None = None) -> None:
        """Open or create the database and bring its schema up to date.

        Raises HomeUnavailable where the disk stands in the way, here and later, VerificationFailed for a damaged file.
        """
        self.path = path
        self.incarnation = incarnation
        self._turn = turn or Turn()
        self._engine = make_engine(path, read_only=False)
        try:
            self.connection = self._engine.connect()
            if not self._is_current() and not self._made_anew():
                from casparian_flow.store import migrate  # noqa: PLC0415 - 0.2 s that only an old database needs

                migrate.upgrade(self.connection)
        except Exception as exc:
            self._engine.dispose()
            if isinstance(exc, DBAPIError) and (trouble := unavailable(path, exc)) is not None:
                raise trouble from exc
            raise VerificationFailed(
                "the control database cannot be opened",
                where=str(path),
                why=str(exc).splitlines()[0],
                fix="casparian doctor",
            ) from exc

    def transaction(self) -> AbstractContextManager[Connection]:
        """One transaction: everything in it, or nothing. Durable at its end, or at the end of `together` around it.

        Raises SentinelSuperseded, with nothing changed, if this process may not write any more.
        """
        return self._part() if self.connection.in_transaction() else self._whole()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the transactions inside durable at once: many then cost one flush of the disk."""
        with self._turn, translated(self.path), self.connection.begin():
            self._check_incarnation()
            yield

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back at the end what the transactions inside did; until then they see it."""
        with self._turn, translated(self.path):
            whole = self.connection.begin()
            try:
                yield
            finally:
                whole.rollback()

    def write_anew(self) -> None:
        """Write the whole file anew, outside of a transaction: nothing that was deleted stays in it or beside it."""
        with self._turn, translated(self.path):
            execute(self.driver, "VACUUM")
            execute(self.driver, "PRAGMA wal_checkpoint(TRUNCATE)")

    def _check_incarnation(self) -> None:
        if self.incarnation is None:
            return
        newest = meta_value(self.connection, INCARNATION)
        if newest != str(self.incarnation):
            raise SentinelSuperseded(
                "another sentinel took this home over",
                where=str(self.path.parent),
                why=f"it is number {newest}, this one is number {self.incarnation}",
            )

    @property
    def driver(self) -> sqlite3.Connection:
        """The driver's own connection, for bulk statements inside a transaction."""
        return driver_of(self.connection)

    @contextmanager
    def _whole(self) -> Iterator[Connection]:
        with self._turn, translated(self.path), self.connection.begin():
            self._check_incarnation()
            yield self.connection

    @contextmanager
    def _part(self) -> Iterator[Connection]:
        """Part of a transaction that can be taken back alone."""
        driver = self.driver
        execute(driver, "SAVEPOINT part")
        try:
            yield self.connection
        except BaseException:
            if driver.in_transaction:  # after some failures of the disk SQLite has taken back the whole
                execute(driver, "ROLLBACK TO part")
                execute(driver, "RELEASE part")
            raise
        execute(driver, "RELEASE part")

    def _is_current(self) -> bool:
        try:
            return live_revision(self.connection) == REVISION
        except OperationalError:  # a new file has no tables yet
            return False
        finally:
            self.connection.rollback()

    def _made_anew(self) -> bool:
        with self.connection.begin():
            if not is_blank(self.connection):
                return False
            make_schema(self.connection)
            return True

    def close(self) -> None:
        """Give the file back; the write-ahead log is folded in."""
        self.connection.close()
        self._engine.dispose()
