"""What the door of the control API knows: who holds a token, and which changes it answered already."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from casparian_flow.core.errors import HomeUnavailable, KeyInUse, KeyReused
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.scopes import Scope
from casparian_flow.store import requests, tokens
from casparian_flow.store.database import Database
from casparian_flow.store.engine import make_engine

TOUCH_NS = 60 * 10**9
"""How exactly it is known when a token was last used."""
SWEEP_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever asks with a token."""

    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Answered:
    """How a change ended that was asked for before."""

    status: int
    reply: bytes


class Doorkeeper:
    """Has a connection of its own; its methods may be called from any thread, and take turns."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._engine = make_engine(database.path, read_only=True)
        self._reading = self._engine.connect()
        self._clock = clock
        self._turn = threading.Lock()
        self._doing: set[str] = set()
        self._swept_ns = 0

    def holder(self, secret: str) -> Holder | None:
        """Who holds the token with that secret; None if it is unknown, expired or revoked."""
        digest, now = digest_of(secret.encode()), self._clock()
        with self._turn:
            with self._reading.begin():
                row = tokens.in_force(self._reading, digest, now)
            if row is None or not hmac.compare_digest(row.digest, digest):
                return None
            if row.used_at_ns is None or row.used_at_ns < now - TOUCH_NS:
                with self._database.transaction() as connection:
                    tokens.touch(connection, row.name, now)
        known = frozenset(Scope)
        return Holder(row.name, frozenset(Scope(word) for word in row.scopes.split() if word in known))

    def begin(self, key: str, digest: str) -> Answered | None:
        """Note that a change is being done under a key; how it ended where it was done before.

        Raises KeyInUse while it is being done or if it was broken off, and KeyReused if another change was.
        """
        with self._changing() as connection:
            now = self._clock()
            if now - self._swept_ns > SWEEP_NS:
                requests.sweep(connection, now)
                self._swept_ns = now
            known = requests.begin(connection, key, digest, now)
            if known is None:
                self._doing.add(key)
                return None
            if known.digest != digest:
                raise KeyReused("this Idempotency-Key came with another request before", where="Idempotency-Key")
            if known.status is not None:
                return Answered(known.status, known.reply)
            if key in self._doing:
                raise KeyInUse("this very request is being done", where="Idempotency-Key", fix="ask again in a moment")
            raise KeyInUse(
                "this very request was broken off",
                where="Idempotency-Key",
                why="the service ended while it was being done, and how far it came is not known",
                fix="look at what there is, then ask with a new key for what is missing",
            )

    def finish(self, key: str, answered: Answered) -> None:
        """Note how the change ended."""
        with self._changing() as connection:
            requests.finish(connection, key, answered.status, answered.reply)
            self._doing.discard(key)

    def forget(self, key: str) -> None:
        """Note that nothing was done under the key, so that it may be tried again."""
        with self._changing() as connection:
            requests.forget(connection, key)
            self._doing.discard(key)

    def check_writable(self) -> bool:
        """Whether the database takes a change now; the change is taken back."""
        try:
            with self._turn, self._database.undone():
                return True
        except (
            DatabaseError,
            HomeUnavailable,
        ):  # the disk is full or gone, or another process holds the file: that is the answer
            return False

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self._turn, self._database.transaction() as connection:
            yield connection

    def close(self) -> None:
        """Give the database back."""
        with self._turn:
            self._reading.close()
            self._engine.dispose()
            self._database.close()
