"""Who may connect as a worker from another machine, as the store knows it."""

from __future__ import annotations

from collections.abc import Callable

from casparian_flow.store import admission
from casparian_flow.store.database import Database


class Admission:
    """What the gate of the TCP endpoints asks (`protocol.gate.Register`), in the thread that owns the database."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def worker_of(self, public_key: str) -> str | None:
        """The worker whose key this is, unless it was revoked."""
        with self._database.transaction() as connection:
            return admission.worker_of_key(connection, public_key)

    def is_invited(self, public_key: str) -> bool:
        """Whether this is the key of an invitation that can still be used."""
        with self._database.transaction() as connection:
            return admission.is_invited(connection, public_key, self._clock())

    def join(self, invitation: str, public_key: str) -> str | None:
        """Use the invitation up; durable when it returns."""
        with self._database.transaction() as connection:
            return admission.join(connection, invitation, public_key, self._clock())
