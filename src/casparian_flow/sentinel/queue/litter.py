"""Where attempts that were lost may have left files: remembered across restarts, swept while nobody writes."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from casparian_flow.sentinel.actions import Action, Done, Sweep
from casparian_flow.sinks.base import Attempt
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database
from casparian_flow.store.meta import littered_sinks, set_littered_sinks


class Litter:
    """Nothing may be given out while `is_sweeping`: what is begun then could be taken for what was left behind."""

    def __init__(self, database: Database, act: Callable[[Action], None]) -> None:
        self._database = database
        self._act = act
        self._is_wanted = False
        self.is_sweeping = False

    def left_by(self, connection: Connection, job: int) -> None:
        """Nobody is there to remove what an attempt of that job staged."""
        self.may_be_left_by(connection, job)
        self._is_wanted = True

    def may_be_left_by(self, connection: Connection, job: int) -> None:
        """An attempt is over whose files somebody is about to remove: if all of us die before, the next start does."""
        before = littered_sinks(connection)
        if new := set(job_store.sinks_of(connection, job)) - set(before):
            set_littered_sinks(connection, [*before, *new])

    def look(self, connection: Connection) -> None:
        """Somebody is gone who may have been about to remove files."""
        self._is_wanted = self._is_wanted or bool(littered_sinks(connection))

    def sweep(self) -> None:
        """Have it removed, if there is any. To be called while no worker has anything in hand."""
        if not self._is_wanted or self.is_sweeping:
            return
        self._is_wanted = False
        with self._database.transaction() as connection:
            sinks = littered_sinks(connection)
            keep = [Attempt(job=row.id, attempt=row.attempt) for row in job_store.undecided(connection)]
        if sinks:
            self.is_sweeping = True
            self._act(Sweep(sinks=tuple(sinks), keep=tuple(keep)))

    def done(self, done: Done) -> None:
        """It was removed; a sink that could not be reached is left for the next start."""
        self.is_sweeping = False
        if not self._is_wanted:
            with self._database.transaction() as connection:
                set_littered_sinks(connection, sorted(done.troubles))
