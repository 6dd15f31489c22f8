"""Takes back what was ordered before a column was closed: its workers would go on telling values of it."""

from __future__ import annotations

from collections.abc import Mapping

from casparian_flow.core.contracts import Contract
from casparian_flow.sentinel.commit.committing import Committing
from casparian_flow.sentinel.queue.attempts import Attempts
from casparian_flow.sentinel.queue.dispatch import Dispatcher, relevant_contracts
from casparian_flow.sentinel.queue.heartbeats import Heartbeats
from casparian_flow.sentinel.queue.leases import Leases
from casparian_flow.sentinel.queue.litter import Litter
from casparian_flow.sentinel.runs import Runs
from casparian_flow.store import closings
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database


class Outdated:
    """Has attempts begin anew that a closed column came too late for; what is permitted was closed with the rest."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        leases: Leases,
        dispatcher: Dispatcher,
        heartbeats: Heartbeats,
        attempts: Attempts,
        committing: Committing,
        litter: Litter,
    ) -> None:
        self._database = database
        self._runs = runs
        self._leases = leases
        self._dispatcher = dispatcher
        self._heartbeats = heartbeats
        self._attempts = attempts
        self._committing = committing
        self._litter = litter

    def take_up(self, in_force: Mapping[str, Contract], now_ns: int) -> None:
        """Look after what was closed when no sentinel was there to notice it: nobody knows which columns these were."""
        with self._database.transaction() as connection:
            is_missed = closings.are_orders_older(connection)
        if is_missed:
            self.take_back({table: each for table, each in in_force.items() if each.is_closed}, now_ns)

    def take_back(self, closed: Mapping[str, Contract], now_ns: int) -> None:
        """Columns were closed by these contracts: no attempt of before may say anything about their tables."""
        if not closed:
            return
        with self._database.transaction() as connection:
            closing = closings.count(connection)
        self._heartbeats.hush_ended()
        for lease in self._leases:
            if not self._meets(lease.job, closed):
                continue
            self._heartbeats.hush(lease)
            if not lease.is_cancelled:  # else it ends once its worker has let go of it
                with self._database.transaction() as connection:
                    self._litter.may_be_left_by(connection, lease.job)
                self._attempts.give_back(lease, now_ns)
        for run in self._runs:
            for job, (facts, _) in list(run.held.items()):
                if job in run.held and self._meets(job, closed):
                    self._committing.drop_held(run, job, now_ns)
                    self._attempts.run_again(run, facts, now_ns)
        with self._database.transaction() as connection:  # last: broken off before, the next sentinel begins anew
            closings.set_orders_renewed(connection, closing)

    def _meets(self, job: int, closed: Mapping[str, Contract]) -> bool:
        with self._database.transaction() as connection:
            standing = job_store.standing(connection, job)
            assert standing is not None  # as of every job that was given out
            parser = self._dispatcher.registered(connection, standing.parser_id)
        return bool(relevant_contracts(parser, [standing.base_table], closed))
