"""Whatever persons do in whatever order: what is in force was approved by as many of them as it takes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from approvers import Approver
from casparian_flow.core.amendments import Add, Op, Rename
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.proofs import Empirical
from casparian_flow.core.proposal_bodies import Amendment
from casparian_flow.core.proposals import APPROVERS, MOVES, Decision, Kind, Origin, Risk, State
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.deciding import Given, approve, reject, withdraw
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import keys, proposals
from casparian_flow.store.database import Database
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.turn import Turn

PERSONS = ["dana", "kim", "lee"]
SALES = Contract("sales", 1, (ContractColumn("id", "int64"),))
PROOF = Empirical(is_complete=True)


def amend(database: Database, operation: Op, by: str, risk: Risk, now_ns: int, cause: str) -> int:
    """A proposal that waits."""
    with database.transaction() as connection:
        base = contract_store.of_table(connection, "sales")
        assert base is not None
        wanted = Draft(
            kind=Kind.AMENDMENT,
            signature=cause,
            table="sales",
            base_digest=base.hash,
            body=Amendment(operations=(operation,)),
            origin=Origin.PERSON,
            proposed_by=by,
        )
        number = proposals.draft(connection, wanted, now_ns)
        proposals.propose(connection, number, Proof(risk=risk, empirical=PROOF), now_ns)
        return number


@dataclass
class Known:
    """What the model knows of a proposal: who agreed to the round that is open, with which key."""

    by: str
    risk: Risk
    base: int
    at: int
    agreed: dict[str, str] = field(default_factory=dict)


class Life(RuleBasedStateMachine):
    """Three persons with keys that come and go, over one table."""

    made = Bundle("made")
    signed = Bundle("signed")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.database = Database(Path(self.folder.name) / "state.sqlite3")
        self.database.driver.execute("PRAGMA synchronous = OFF")
        self.now = 100
        self.version = 1
        self.known: dict[int, Known] = {}
        self.states: dict[int, State] = {}
        self.keys: dict[str, Approver] = {}
        self.revoked: list[tuple[str, int]] = []

    @initialize()
    def found(self) -> None:
        with self.database.transaction() as connection:
            adopt(connection, SALES, Rule.ADOPT, "casparian", 1)

    def teardown(self) -> None:
        self.database.close()
        self.folder.cleanup()

    @rule(person=st.sampled_from(PERSONS))
    def enrol(self, person: str) -> None:
        if person not in self.keys:
            with self.database.transaction() as connection:
                self.keys[person] = Approver(person).enrol(connection)

    @rule(person=st.sampled_from(PERSONS))
    def revoke(self, person: str) -> None:
        if person in self.keys:
            with self.database.transaction() as connection:
                keys.revoke(connection, self.keys.pop(person).key, self.now)
            self.revoked.append((person, self.now))

    @rule(target=made, by=st.sampled_from([*PERSONS, "casparian"]), risk=st.sampled_from(Risk))
    def propose(self, by: str, risk: Risk) -> int:
        self.now += 1
        number = amend(
            self.database, Add(column=ContractColumn(f"c{self.now}", "string")), by, risk, self.now, f"{self.now}"
        )
        self.known[number] = Known(by, risk, self.version, self.now)
        return number

    @rule(target=signed, number=made, person=st.sampled_from(PERSONS))
    def sign(self, number: int, person: str) -> object:
        """What may be sent later, or never, or when it is about something else by then."""
        if person not in self.keys:
            return multiple()
        self.now += 1
        with self.database.transaction() as connection:
            return self.keys[person].says(connection, number, at_ns=self.now)

    @rule(given=signed)
    def send(self, given: Given) -> None:
        known = self.known[given.proposal]
        with self.database.transaction() as connection:
            state = proposals.one(connection, given.proposal).state
            digest = proposals.terms_of(connection, given.proposal).digest
        person = self.keys.get(given.actor)
        since = {name for name, at in self.revoked if at >= known.at}
        is_single = len(self.keys.keys() | since) == 1
        may = (
            state == State.PROPOSED
            and digest == given.digest
            and person is not None
            and person.key == given.key
            and (known.by != given.actor or is_single)
        )
        applied = None
        try:
            with self.database.transaction() as connection:
                _, applied = approve(connection, given, self.now)
        except CasparianError:
            assert not may
            return
        assert may
        known.agreed[given.actor] = given.key
        living = {name: each.key for name, each in self.keys.items()}
        counted = {
            name for name, key in known.agreed.items() if living.get(name) == key and (name != known.by or is_single)
        }
        assert (applied is not None) is (len(counted) >= (1 if is_single else APPROVERS[known.risk]))
        if applied is not None:
            assert set(applied.decided_by) == counted
            self.version += 1

    @rule(number=made, person=st.sampled_from(PERSONS), changes=st.booleans())
    def refuse(self, number: int, person: str, changes: bool) -> None:
        if person not in self.keys:
            return
        self.now += 1
        decision = Decision.REQUEST_CHANGES if changes else Decision.REJECT
        try:
            with self.database.transaction() as connection:
                given = self.keys[person].says(connection, number, decision, at_ns=self.now)
                reject(connection, given, self.now, changes=changes)
        except CasparianError:
            assert self.states[number] is not State.PROPOSED

    @rule(number=made)
    def propose_again(self, number: int) -> None:
        if self.states.get(number) is State.CHANGES_REQUESTED:
            with self.database.transaction() as connection:
                proposals.propose(connection, number, Proof(risk=self.known[number].risk, empirical=PROOF), self.now)
            self.known[number].agreed.clear()
            self.known[number].at = self.now

    @rule(number=consumes(made))
    def give_up(self, number: int) -> None:
        try:
            with self.database.transaction() as connection:
                withdraw(connection, number, self.known[number].by, "", self.now)
        except CasparianError:
            assert not MOVES[self.states[number]]

    @invariant()
    def every_step_is_one_that_there_is(self) -> None:
        with self.database.transaction() as connection:
            for number in self.known:
                now = State(proposals.one(connection, number).state)
                before = self.states.get(number, State.PROPOSED)
                assert now is before or now in MOVES[before] or (now is State.APPLIED and before is State.PROPOSED)
                assert now is not State.APPROVED
                self.states[number] = now

    @invariant()
    def one_contract_is_in_force_and_it_is_the_last_that_was_approved(self) -> None:
        with self.database.transaction() as connection:
            rows = connection.exec_driver_sql("SELECT version FROM schema_contracts WHERE state = 'applied'").scalars()
            assert rows.all() in ([], [self.version])
            for number, state in self.states.items():
                if state is State.PROPOSED:
                    assert self.known[number].base == self.version, "what was made for another version is void"


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)


def test_of_two_who_approve_at_once_nobody_is_lost_and_it_is_applied_once(tmp_path: Path) -> None:
    """Each holds the database in a thread of their own, as requests to a service do."""
    turn = Turn()
    first = Database(tmp_path / "state.sqlite3", turn)
    with first.transaction() as connection:
        adopt(connection, SALES, Rule.ADOPT, "casparian", 1)
        persons = [Approver(name).enrol(connection) for name in PERSONS]
    number = amend(first, Rename(column="id", to="key"), "casparian", Risk.RESTRICTIVE, 2, "s")
    with first.transaction() as connection:
        said = [person.says(connection, number) for person in persons]
    first.close()
    outcomes: list[object] = []
    together = threading.Barrier(len(said))

    def send(given: Given) -> None:
        database = Database(tmp_path / "state.sqlite3", turn)
        try:
            together.wait(20)
            with database.transaction() as connection:
                outcomes.append(approve(connection, given, 10)[1])
        except CasparianError as exc:
            outcomes.append(exc.code)
        finally:
            database.close()

    threads = [threading.Thread(target=send, args=(given,)) for given in said]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(each is None for each in outcomes) == 1
    assert outcomes.count("proposal-over") == 1
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        contract = contract_store.of_table(connection, "sales")
        assert contract is not None and (contract.version, contract.names) == (2, ("key",))
    database.close()
