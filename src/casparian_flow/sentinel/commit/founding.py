"""New tables: contracts adopted or proposed as soon as all files that belong together have been surveyed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract, Origin
from casparian_flow.core.errors import InvariantBroken
from casparian_flow.protocol.messages import OutputSurvey
from casparian_flow.sentinel.commit.first_contact import FirstContact, Founded, Surveys, found_tables
from casparian_flow.sentinel.commit.in_force import InForce
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.planning.registered import Registered
from casparian_flow.sentinel.queue.lanes import exclusive, ordered_tables
from casparian_flow.sinks.layout import checked_table
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import jobs as job_store
from casparian_flow.store.database import Database

LONGEST_REASON = 500
AUTOMATIC = "casparian"
"""Who adopted a contract that no person reviewed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A job whose rows need a contract that a person must decide first; nothing of it may stay.

    With an `error` it is what the job's survey says that makes no sense.
    """

    job: int
    tables: str = ""
    error: InvariantBroken | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """A job whose outputs have their tables now, and every table its contract."""

    job: int
    tables: dict[str, str]


class Founding:
    """Keeps the contracts in force, and gives surveyed jobs theirs, run by run."""

    def __init__(self, database: Database, notify: Notify) -> None:
        self._database = database
        self._notify = notify
        self._first_contact = FirstContact()
        self._holding: set[int] = set()
        self._tables: dict[int, str] = {}
        self._has_looked = False
        self.contracts = InForce()
        self._closed: dict[str, Contract] = {}
        self.ordered: frozenset[str] = frozenset()
        """The tables whose jobs come one after another."""

    def refresh(self, connection: Connection) -> None:
        """Notice contracts that somebody decided meanwhile; of those that are known none is read again."""
        in_force = set(contract_store.ids_in_force(connection))
        is_first, self._has_looked = not self._has_looked, True
        if in_force == self._tables.keys():
            return
        gone = [self._tables.pop(number) for number in self._tables.keys() - in_force]
        older = {table: self.contracts.take(table) for table in gone}
        new = contract_store.of_ids(connection, in_force - self._tables.keys())
        if not is_first:
            self._closed |= _that_close(older, new.values())
        self._replace(connection, older, new)

    def _replace(self, connection: Connection, older: Container[str], new: Mapping[int, Contract]) -> None:
        """New contracts are in force, some in place of those of the older tables; jobs of tables with an order part."""
        for number, contract in new.items():
            self._tables[number] = contract.table
            self.contracts.put(contract)
        before = self.ordered
        kept = frozenset(table for table in before if table not in older)
        self.ordered = kept | ordered_tables({each.table: each for each in new.values()})
        if self.ordered - before:
            self._part(connection)

    def take_closed(self) -> dict[str, Contract]:
        """The contracts by which columns were closed since this was asked last: orders of before know nothing of it."""
        taken, self._closed = self._closed, {}
        return taken

    def hold(self, plan: int) -> None:
        """In that run a first contract is proposed to a person, and the jobs that need it are refused."""
        self._holding.add(plan)

    def expect(self, job: int, plan: int, parser: Registered, base_table: str) -> None:
        """A job is going to run, for the first time or again: what it brought to be surveyed before is forgotten.

        One that keeps others waiting waits for none of them.
        """
        if exclusive(self.ordered, parser, base_table):
            self._first_contact.expect(job, (plan, f"job {job}"))
            return
        named = f"file {base_table}" if parser.manifest.tables == "file" else f"parser {parser.artifact.artifact_hash}"
        self._first_contact.expect(job, (plan, named))

    def _part(self, connection: Connection) -> None:
        """Jobs that come one after another from now on wait for none of the others any more."""
        for plan in self._first_contact.plans:
            for row in job_store.open_of_plan(connection, plan):
                if exclusive(self.ordered, load_registered(connection, row.parser_id), row.base_table):
                    self._first_contact.move(row.id, (plan, f"job {row.id}"))

    def again(self, job: int) -> None:
        """A job is going to be read again."""
        self._first_contact.again(job)

    def surveyed(self, job: int, outputs: Sequence[OutputSurvey]) -> None:
        """A job waits for its contracts."""
        self._first_contact.add(job, outputs)

    def leave(self, job: int) -> None:
        """A job needs no contract any more: it sealed or ended."""
        self._first_contact.leave(job)

    def found(self, now_ns: int) -> tuple[list[Settled], list[Refusal]]:
        """Give the jobs of every complete scope their contracts; those that have to wait for a person instead."""
        settled: list[Settled] = []
        refused: list[Refusal] = []
        if not (complete := self._first_contact.take_complete()):
            return settled, refused
        with self._database.transaction() as connection:
            self.refresh(connection)
            for (plan, _named), surveyed in complete:
                founded, surveys, senseless = self._founded(surveyed)
                refused += senseless
                if plan in self._holding and founded.contracts:
                    refused += self._propose(connection, plan, surveys, founded, now_ns)
                else:
                    settled += self._adopt(connection, plan, surveys, founded, now_ns)
        return settled, refused

    def _founded(self, surveys: Surveys) -> tuple[Founded, Surveys, list[Refusal]]:
        """The tables of all surveys but those that make no sense: who sent these must not stand in the others' way."""
        founded = _founded_or_why(surveys, self.contracts)
        if isinstance(founded, Founded):
            return founded, surveys, []
        errors = {job: _founded_or_why({job: outputs}, self.contracts) for job, outputs in surveys.items()}
        refused = [Refusal(job, error=why) for job, why in errors.items() if isinstance(why, InvariantBroken)]
        kept = {job: outputs for job, outputs in surveys.items() if isinstance(errors[job], Founded)}
        rest = _founded_or_why(kept, self.contracts)
        if isinstance(rest, Founded):
            return rest, kept, refused
        return Founded((), {}), {}, [*refused, *(Refusal(job, error=rest) for job in kept)]

    def _adopt(
        self, connection: Connection, plan: int, surveys: Surveys, founded: Founded, now_ns: int
    ) -> list[Settled]:
        jobs = _jobs_of(founded)
        adopted = [
            adopt(connection, contract, Rule.ADOPT, AUTOMATIC, now_ns, jobs=jobs[contract.table]).contract
            for contract in founded.contracts
        ]
        self._replace(connection, {}, contract_store.of_ids(connection, filter(None, adopted)))
        for contract in founded.contracts:
            values = {"plan": plan, "table": contract.table, "columns": len(contract.columns)}
            self._notify("contract.adopted", values)
        return [
            Settled(job, {output.output: founded.tables[job, output.output] for output in outputs})
            for job, outputs in surveys.items()
        ]

    def _propose(
        self, connection: Connection, plan: int, surveys: Surveys, founded: Founded, now_ns: int
    ) -> list[Refusal]:
        jobs = _jobs_of(founded)
        for contract in founded.contracts:
            evidence = {"jobs": jobs[contract.table]}
            number = contract_store.propose(connection, contract, evidence, AUTOMATIC, now_ns)
            self._notify("contract.proposed", {"plan": plan, "table": contract.table, "contract": number})
        waited_for = " ".join(contract.table for contract in founded.contracts)
        return [Refusal(job, waited_for) for job in surveys]


def _jobs_of(founded: Founded) -> Mapping[str, list[int]]:
    """The jobs with rows for each table, by number."""
    found: dict[str, set[int]] = defaultdict(set)
    for (job, _output), table in founded.tables.items():
        found[table].add(job)
    return {table: sorted(jobs) for table, jobs in found.items()}


def _that_close(older: Mapping[str, Contract], newer: Iterable[Contract]) -> dict[str, Contract]:
    """Those of a table without an earlier contract were given to the jobs that wait for it, unless a person did."""
    replacing = [each for each in newer if each.table in older or each.origin is Origin.APPROVED]
    if not replacing:
        return {}
    from casparian_flow.sentinel.governance.closing import newly_closed  # noqa: PLC0415 - most runs replace none

    return {each.table: each for each in replacing if newly_closed(older.get(each.table), each)}


def contracts_of(tables: Mapping[str, str], contracts: Mapping[str, Contract]) -> dict[str, Contract]:
    """The contracts of the tables that a job's outputs were given."""
    return {table: contracts[table] for table in tables.values()}


def _founded_or_why(surveys: Surveys, in_force: InForce) -> Founded | InvariantBroken:
    """The tables of these surveys, or what is wrong with them."""
    try:
        founded = found_tables(surveys, in_force)
        for contract in founded.contracts:
            checked_table(contract.table)
    except Exception as exc:  # a survey is whatever a worker says
        return InvariantBroken("what a worker found in a file makes no sense", why=str(exc)[:LONGEST_REASON])
    return founded
