"""New tables: contracts adopted or proposed as soon as all files that belong together have been surveyed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import InvariantBroken
from casparian_flow.protocol.messages import OutputSurvey
from casparian_flow.sentinel.first_contact import FirstContact, Founded, Surveys, found_tables
from casparian_flow.sentinel.registered import Registered
from casparian_flow.sinks.layout import checked_table
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.database import Database

LONGEST_REASON = 500
AUTOMATIC = "casparian"
"""Who adopted a contract that no person reviewed."""

Notify = Callable[[str, dict[str, object]], None]


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
        self._in_force: list[int] | None = None
        self.contracts: dict[str, Contract] = {}

    def refresh(self, connection: Connection) -> None:
        """Notice contracts that somebody decided meanwhile."""
        in_force = contract_store.ids_in_force(connection)
        if in_force != self._in_force:
            self.contracts = contract_store.in_force(connection)
            self._in_force = in_force

    def hold(self, plan: int) -> None:
        """In that run a first contract is proposed to a person, and the jobs that need it are refused."""
        self._holding.add(plan)

    def expect(self, job: int, plan: int, parser: Registered, base_table: str) -> None:
        """A job is going to run, for the first time or again: what it brought to be surveyed before is forgotten."""
        named = f"file {base_table}" if parser.manifest.tables == "file" else f"parser {parser.artifact.artifact_hash}"
        self._first_contact.expect(job, (plan, named))

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
        for (plan, _named), surveyed in self._first_contact.take_complete():
            with self._database.transaction() as connection:
                self.refresh(connection)
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
        evidence = {"jobs": sorted(surveys)}
        for contract in founded.contracts:
            contract_store.apply_first(connection, contract, evidence, AUTOMATIC, now_ns)
        self.refresh(connection)
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
        evidence = {"jobs": sorted(surveys)}
        for contract in founded.contracts:
            number = contract_store.propose(connection, contract, evidence, AUTOMATIC, now_ns)
            self._notify("contract.proposed", {"plan": plan, "table": contract.table, "contract": number})
        waited_for = " ".join(contract.table for contract in founded.contracts)
        return [Refusal(job, waited_for) for job in surveys]


def contracts_of(tables: Mapping[str, str], contracts: Mapping[str, Contract]) -> dict[str, Contract]:
    """The contracts of the tables that a job's outputs were given."""
    return {table: contracts[table] for table in tables.values()}


def _founded_or_why(surveys: Surveys, in_force: Mapping[str, Contract]) -> Founded | InvariantBroken:
    """The tables of these surveys, or what is wrong with them."""
    try:
        founded = found_tables(surveys, in_force)
        for contract in founded.contracts:
            checked_table(contract.table)
    except Exception as exc:  # a survey is whatever a worker says
        return InvariantBroken("what a worker found in a file makes no sense", why=str(exc)[:LONGEST_REASON])
    return founded
