"""Opens a read-only view of a home, also of one where nothing has happened yet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from casparian_flow.core.errors import CasparianError, VerificationFailed
from casparian_flow.operations.context import Reading
from casparian_flow.settings import Home, Settings
from casparian_flow.store.engine import REVISION, is_blank, live_revision, make_engine, open_empty, open_read_only


@contextmanager
def open_reading(home: Home, settings: Settings, cwd: Path) -> Iterator[Reading]:
    """One consistent snapshot of the home; it never creates or changes a file.

    Raises VerificationFailed when the database is damaged or of another version.
    """
    try:
        with _snapshot(home) as connection:
            yield Reading(home=home, settings=settings, connection=connection, cwd=cwd, now_ns=time.time_ns())
    except DatabaseError as exc:
        raise _unreadable(home, str(exc.orig)) from exc


class KeptReadings:
    """Opens views of one home again and again, for whoever is asked often; its database must be there and stay.

    Any thread may open one. As many connections are kept as there were views at once, and what each has learned about
    its statements with it.
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._idle: list[Engine] = []

    @contextmanager
    def open(self, settings: Settings, cwd: Path) -> Iterator[Reading]:
        """One consistent snapshot as of now; raises what `open_reading` raises."""
        try:
            engine = self._idle.pop()
        except IndexError:
            engine = make_engine(self._home.state, read_only=True)
        try:
            with engine.connect() as connection:
                _check_revision(live_revision(connection), self._home)
                yield Reading(home=self._home, settings=settings, connection=connection, cwd=cwd, now_ns=time.time_ns())
        except DatabaseError as exc:
            raise _unreadable(self._home, str(exc.orig)) from exc
        finally:
            self._idle.append(engine)

    def close(self) -> None:
        """Give the database back; no view may be open."""
        while self._idle:
            self._idle.pop().dispose()


@contextmanager
def _snapshot(home: Home) -> Iterator[Connection]:
    """The home's database; an empty one where there is none, or where another process is making it right now."""
    if home.state.exists():
        with open_read_only(home.state) as connection:
            if not is_blank(connection):
                _check_revision(live_revision(connection), home)
                yield connection
                return
    with open_empty() as connection:
        yield connection


def _check_revision(found: str | None, home: Home) -> None:
    if found is not None and found > REVISION:
        raise VerificationFailed(
            f"the home was written by a newer version (schema {found})",
            where=str(home.path),
            fix="upgrade casparian-flow",
        )
    if found != REVISION:
        raise VerificationFailed(
            f"the home was written by an older version (schema {found})",
            where=str(home.path),
            why="any command that writes brings it up to date",
            fix="casparian scan",
        )


def _unreadable(home: Home, why: str) -> CasparianError:
    return VerificationFailed(
        "the control database cannot be read", where=str(home.state), why=why, fix="casparian doctor"
    )
