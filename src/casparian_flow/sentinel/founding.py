"""New tables: contracts adopted or proposed as soon as all files that belong together have been surveyed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from casparian_flow.core.contracts import Contract
from casparian_flow.core.outputs import SealedOutput
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.messages import Dispatch, JobOrder, ParserOrder, Settle, Surveyed
from casparian_flow.sentinel.first_contact import FirstContact, Founded, Surveys, found_tables
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.database import Database

AUTOMATIC = "casparian"
"""Who adopted a contract that no person reviewed."""

Notify = Callable[[str, dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A job whose rows need a contract that a person must decide first; nothing of it may stay."""

    job: int
    attempt: int
    tables: str
    sealed: tuple[SealedOutput, ...]


@dataclass(frozen=True, slots=True)
class _Ordered:
    """What a surveyed job needs to go on."""

    order: JobOrder
    parser: ParserOrder
    routes: Routes
    staging: str
    sealed: tuple[SealedOutput, ...] = ()


class Founding:
    """Keeps the contracts in force, and gives surveyed jobs theirs."""

    def __init__(self, database: Database, *, holds: bool, notify: Notify) -> None:
        """With `holds`, a first contract is proposed to a person and its jobs are refused."""
        self._database = database
        self._holds = holds
        self._notify = notify
        with database.transaction() as connection:
            self.contracts = contract_store.in_force(connection)
        self._first_contact = FirstContact()
        self._ordered: dict[int, _Ordered] = {}
        self._settling: deque[Settle] = deque()
        self.adopted: set[str] = set()
        """Tables whose first contract was taken in this run, without review."""

    def expect(self, job: int, scope: str) -> None:
        """A job is going to run; its scope names the files that may map to the same new tables."""
        self._first_contact.expect(job, scope)

    def ordered(self, dispatch: Dispatch) -> None:
        """A worker was told to read these files."""
        for order in dispatch.jobs:
            self._ordered[order.job] = _Ordered(order, dispatch.parser, dispatch.routes, dispatch.staging)

    def surveyed(self, message: Surveyed) -> bool:
        """A job waits for its contracts; false if this attempt is not the one that runs."""
        known = self._ordered.get(message.job)
        if known is None or known.order.attempt != message.attempt:
            return False
        self._ordered[message.job] = replace(known, sealed=tuple(message.sealed))
        self._first_contact.add(message.job, message.outputs)
        return True

    def leave(self, job: int) -> None:
        """A job needs no contract any more: it sealed or ended."""
        self._first_contact.leave(job)
        self._ordered.pop(job, None)

    def next_settle(self) -> Settle | None:
        """A job that can go on now."""
        return self._settling.popleft() if self._settling else None

    def found(self, now_ns: int) -> list[Refusal]:
        """Give the jobs of every complete scope their contracts; those that have to wait for a person instead."""
        refused: list[Refusal] = []
        for surveys in self._first_contact.take_complete():
            founded = found_tables(surveys, self.contracts)
            if self._holds and founded.contracts:
                refused += self._propose(surveys, founded, now_ns)
            else:
                self._adopt(surveys, founded, now_ns)
        return refused

    def _adopt(self, surveys: Surveys, founded: Founded, now_ns: int) -> None:
        evidence = {"jobs": sorted(surveys)}
        with self._database.transaction() as connection:
            for contract in founded.contracts:
                contract_store.apply_first(connection, contract, evidence, AUTOMATIC, now_ns)
        for contract in founded.contracts:
            self.contracts[contract.table] = contract
            self.adopted.add(contract.table)
            self._notify("contract.adopted", {"table": contract.table, "columns": len(contract.columns)})
        for job, outputs in surveys.items():
            tables = {output.output: founded.tables[job, output.output] for output in outputs}
            self._settling.append(self._settle(job, tables))

    def _settle(self, job: int, tables: Mapping[str, str]) -> Settle:
        known = self._ordered[job]
        return Settle(
            parser=known.parser,
            order=known.order,
            routes=known.routes,
            staging=known.staging,
            tables=dict(tables),
            contracts={table: self.contracts[table] for table in tables.values()},
        )

    def _propose(self, surveys: Surveys, founded: Founded, now_ns: int) -> list[Refusal]:
        evidence = {"jobs": sorted(surveys)}
        with self._database.transaction() as connection:
            numbers = {
                contract.table: contract_store.propose(connection, contract, evidence, AUTOMATIC, now_ns)
                for contract in founded.contracts
            }
        for table, number in numbers.items():
            self._notify("contract.proposed", {"table": table, "contract": number})
        waited_for = " ".join(_names(founded.contracts))
        return [
            Refusal(job, known.order.attempt, waited_for, known.sealed)
            for job, known in ((job, self._ordered[job]) for job in surveys)
        ]


def _names(contracts: tuple[Contract, ...]) -> list[str]:
    return [contract.table for contract in contracts]
