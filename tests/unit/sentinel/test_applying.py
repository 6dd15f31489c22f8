"""The one function that applies: what it demands, what it does, and that it does all of it or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from approvers import Approver
from casparian_flow.core.amendments import Add, Narrow, Op, Relax, Widen
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Mode, Modes
from casparian_flow.core.errors import (
    ApprovalInvalid,
    CasparianError,
    KeyMissing,
    ProposalOver,
    ProposalVoid,
    Refused,
    SelfApproval,
    UsageError,
    VerdictContradicted,
    VersionChanged,
)
from casparian_flow.core.proofs import Empirical, Verdicts
from casparian_flow.core.proposal_bodies import Activation, Amendment
from casparian_flow.core.proposals import Decision, Kind, Origin, Risk, State
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.sentinel.governance import applying
from casparian_flow.sentinel.governance.applying import apply, void_if_moved
from casparian_flow.sentinel.governance.authority import Policy, Rule, Signed
from casparian_flow.sentinel.governance.deciding import approve, reject, withdraw
from casparian_flow.sentinel.governance.effects import Effect
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import keys, parsers, proposals, signed
from casparian_flow.store.database import Database
from casparian_flow.store.governed import Ground, put_contract
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.scrubbing import scrub
from casparian_flow.store.tables import metadata

SALES = Contract("sales", 1, (ContractColumn("id", "int64"), ContractColumn("at", "string", nullable=False)))
ADD = Add(column=ContractColumn("zone", "string"))
GROUND = Ground(proposal=1, digest="d", proposed_by="kim", decided_by="dana", reason="", now_ns=20)
COMPLETE = Empirical(is_complete=True)
DANA, KIM, LEE = Approver("dana"), Approver("kim"), Approver("lee")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        adopt(connection, SALES, Rule.ADOPT, "casparian", 1)
    yield database
    database.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.transaction() as connection:
        yield connection


def proposed(
    connection: Connection,
    *operations: Op,
    by: str = "casparian",
    risk: Risk = Risk.ADDITIVE,
    empirical: Empirical | None = COMPLETE,
    cause: str = "s",
    now_ns: int = 10,
) -> int:
    """An amendment of `sales` that waits for a decision."""
    base = contract_store.of_table(connection, "sales")
    assert base is not None
    wanted = Draft(
        kind=Kind.AMENDMENT,
        signature=cause,
        table="sales",
        base_digest=base.hash,
        body=Amendment(operations=operations or (ADD,)),
        origin=Origin.SYSTEM if by == "casparian" else Origin.PERSON,
        proposed_by=by,
    )
    number = proposals.draft(connection, wanted, now_ns)
    verdicts = Verdicts(reads_old=True, keeps_readers=True)
    proposals.propose(connection, number, Proof(risk=risk, verdicts=verdicts, empirical=empirical), now_ns + 1)
    return number


def state(connection: Connection, proposal: int) -> str:
    return str(proposals.one(connection, proposal).state)


def test_an_approved_amendment_is_the_next_version_and_says_by_what(connection: Connection) -> None:
    DANA.enrol(connection)
    number = proposed(connection)
    stands, applied = approve(connection, DANA.says(connection, number), 20)
    assert applied is not None and stands.approvers == ("dana",)
    contract = contract_store.of_table(connection, "sales")
    assert contract is not None and (contract.version, contract.names) == (2, ("id", "at", "zone"))
    assert applied.contract is not None
    row = contract_store.describe(connection, applied.contract)
    assert (row.state, row.decided_by, row.decision_reason, row.proposal_id) == (
        "applied",
        "dana",
        "looked at it",
        number,
    )
    assert row.digest == proposals.one(connection, number).digest
    assert contract_store.describe(connection, row.amends).state == "superseded"
    assert contract_store.of_version(connection, "sales", 1) == replace(SALES, origin=SALES.origin)
    assert state(connection, number) == State.APPLIED


def test_nothing_is_applied_twice_and_approving_again_says_so(connection: Connection) -> None:
    DANA.enrol(connection)
    number = proposed(connection)
    given = DANA.says(connection, number)
    approve(connection, given, 20)
    with pytest.raises(ProposalOver, match="is applied"):
        approve(connection, given, 21)
    with pytest.raises(VersionChanged):
        apply(connection, number, Signed(), 22)


def test_a_restrictive_change_needs_two_and_who_proposed_it_is_none_of_them(connection: Connection) -> None:
    for person in (DANA, KIM, LEE):
        person.enrol(connection)
    number = proposed(connection, Narrow(column="at", type="int64"), by="kim", risk=Risk.RESTRICTIVE)
    with pytest.raises(SelfApproval, match="kim proposed"):
        approve(connection, KIM.says(connection, number), 20)
    stands, applied = approve(connection, DANA.says(connection, number), 21)
    assert (applied, stands.approvers, stands.needed) == (None, ("dana",), 2)
    again, applied = approve(connection, DANA.says(connection, number, at_ns=60), 22)
    assert (applied, again.approvers) == (None, ("dana",))
    with pytest.raises(Refused, match="1 of 2"):
        apply(connection, number, Signed(), 23)
    stands, applied = approve(connection, LEE.says(connection, number), 24)
    assert applied is not None and applied.decided_by == ("dana", "lee")


def test_the_only_person_of_a_home_is_enough_and_that_is_kept(connection: Connection) -> None:
    KIM.enrol(connection)
    number = proposed(connection, Narrow(column="at", type="int64"), by="kim", risk=Risk.RESTRICTIVE)
    stands, applied = approve(connection, KIM.says(connection, number), 20)
    assert applied is not None and stands.is_single_person and stands.needed == 2
    [kept] = signed.decisions_of(connection, number)
    assert kept.is_self


def test_self_approval_counts_no_more_once_there_is_a_second_person(connection: Connection) -> None:
    KIM.enrol(connection)
    number = proposed(connection, by="kim", empirical=None)
    with pytest.raises(VerdictContradicted):
        approve(connection, KIM.says(connection, number), 20)
    other = proposed(connection, by="kim", cause="t")
    signature = KIM.says(connection, other)
    DANA.enrol(connection)
    with pytest.raises(SelfApproval):
        approve(connection, signature, 20)


def test_the_key_of_who_left_counts_no_more_and_a_new_one_of_theirs_does(connection: Connection) -> None:
    for person in (DANA, KIM, LEE):
        person.enrol(connection)
    number = proposed(connection, Narrow(column="at", type="int64"), risk=Risk.RESTRICTIVE)
    approve(connection, DANA.says(connection, number), 20)
    keys.revoke(connection, DANA.key, 21)
    stands, applied = approve(connection, KIM.says(connection, number), 22)
    assert (applied, stands.approvers, stands.uncounted) == (None, ("kim",), ("the key of dana was revoked",))
    with pytest.raises(ApprovalInvalid, match="cannot decide for dana"):
        approve(connection, DANA.says(connection, number), 23)
    again = Approver("dana").enrol(connection)
    _, applied = approve(connection, again.says(connection, number), 24)
    assert applied is not None and set(applied.decided_by) == {"dana", "kim"}


@pytest.mark.parametrize(
    "wrong", ["unknown key", "key of another", "signature", "reason", "decision", "digest", "no digest"]
)
def test_a_decision_is_kept_only_as_its_actor_signed_it(connection: Connection, wrong: str) -> None:
    DANA.enrol(connection)
    KIM.enrol(connection)
    number = proposed(connection)
    given = DANA.says(connection, number)
    expected: type[CasparianError] = ApprovalInvalid
    match wrong:
        case "unknown key":
            given, expected = LEE.says(connection, number), KeyMissing
        case "key of another":
            given = replace(KIM.says(connection, number), actor="dana")
        case "signature":
            given = replace(given, signature=bytes(64))
        case "reason":
            given = replace(given, reason="another")
        case "decision":
            given = DANA.says(connection, number, Decision.REJECT)
        case "digest":
            given, expected = replace(given, digest="blake3:other"), VersionChanged
        case "no digest":
            given, expected = replace(given, digest=""), UsageError
    with pytest.raises(expected):
        approve(connection, given, 20)
    assert signed.decisions_of(connection, number) == []
    assert state(connection, number) == State.PROPOSED


def test_a_signature_on_an_earlier_round_is_none_on_this_one(connection: Connection) -> None:
    DANA.enrol(connection)
    KIM.enrol(connection)
    number = proposed(connection)
    old = DANA.says(connection, number)
    reject(connection, KIM.says(connection, number, Decision.REQUEST_CHANGES), 20, changes=True)
    proposals.propose(connection, number, Proof(risk=Risk.ADDITIVE, empirical=COMPLETE), 21)
    with pytest.raises(VersionChanged):
        approve(connection, old, 22)
    with pytest.raises(ApprovalInvalid):
        approve(connection, replace(old, digest=proposals.terms_of(connection, number).digest), 23)


def test_a_proposal_whose_base_moved_is_void_and_what_still_makes_sense_begins_anew(connection: Connection) -> None:
    DANA.enrol(connection)
    first, second = proposed(connection), proposed(connection, Relax(column="at"), cause="t")
    same = proposed(connection, ADD, by="kim", cause="u")
    approve(connection, DANA.says(connection, first), 20)
    assert [state(connection, each) for each in (first, second, same)] == ["applied", "void", "void"]
    [heir] = proposals.living_of_table(connection, "sales")
    contract = contract_store.of_table(connection, "sales")
    assert contract is not None
    assert (heir.state, heir.signature, heir.base_digest) == ("draft", "t", contract.hash)
    assert heir.risk == Risk.LOSSLESS and heir.verdicts is not None
    with pytest.raises(ProposalVoid, match="can no longer be decided") as refused:
        approve(connection, DANA.says(connection, second), 21)
    assert f"A-{heir.id} takes its place" in refused.value.why
    with pytest.raises(VersionChanged) as refused:
        reject(connection, replace(DANA.says(connection, first), proposal=heir.id), 22, changes=False)
    assert refused.value.fix == f"casparian approval withdraw A-{heir.id} --reason TEXT"
    withdraw(connection, heir.id, "dana", "not now", 23)
    assert state(connection, heir.id) == "withdrawn"


def test_a_base_that_moved_unseen_voids_when_somebody_approves(database: Database) -> None:
    with database.transaction() as connection:
        DANA.enrol(connection)
        number = proposed(connection)
        given = DANA.says(connection, number)
        connection.exec_driver_sql("UPDATE schema_contracts SET state = 'superseded'")
    with pytest.raises(ProposalVoid), database.transaction() as connection:
        approve(connection, given, 20)
    with database.transaction() as connection:
        assert void_if_moved(connection, number, 21)
        assert state(connection, number) == State.VOID
        assert not void_if_moved(connection, number, 22)


@pytest.mark.parametrize(
    "empirical", [None, Empirical(is_complete=False), Empirical(is_complete=True, contradicts=("3 rows newly fail",))]
)
def test_what_the_data_contradict_or_were_not_asked_about_is_not_applied(
    connection: Connection, empirical: Empirical | None
) -> None:
    DANA.enrol(connection)
    number = proposed(connection, empirical=empirical)
    with pytest.raises(VerdictContradicted):
        approve(connection, DANA.says(connection, number), 20)


def test_what_cannot_be_undone_needs_a_reason(connection: Connection) -> None:
    DANA.enrol(connection)
    number = proposed(connection, risk=Risk.DESTRUCTIVE)
    with pytest.raises(UsageError, match="with a reason"):
        approve(connection, DANA.says(connection, number, reason=" "), 20)


EVOLVING = Modes(new_column=Mode.EVOLVE, missing_column=Mode.EVOLVE)


@pytest.mark.parametrize(
    ("operation", "risk", "policy", "is_allowed"),
    [
        (ADD, Risk.ADDITIVE, Policy(rule=Rule.EVOLVE, modes=EVOLVING), True),
        (Relax(column="at"), Risk.LOSSLESS, Policy(rule=Rule.EVOLVE, modes=EVOLVING), True),
        (ADD, Risk.ADDITIVE, Policy(rule=Rule.EVOLVE), False),
        (ADD, Risk.RESTRICTIVE, Policy(rule=Rule.EVOLVE, modes=EVOLVING), False),
        (Widen(column="id", type="string"), Risk.LOSSLESS, Policy(rule=Rule.EVOLVE, modes=EVOLVING), False),
        (ADD, Risk.ADDITIVE, Policy(rule=Rule.ADOPT), False),
    ],
)
def test_a_policy_decides_only_what_its_setting_is_about(
    connection: Connection, operation: Op, risk: Risk, policy: Policy, is_allowed: bool
) -> None:
    number = proposed(connection, operation, risk=risk)
    if is_allowed:
        apply(connection, number, policy, 20)
        [kept] = signed.decisions_of(connection, number)
        assert (kept.decision, kept.actor, kept.signature) == ("policy", "policy", None)
        contract = contract_store.of_table(connection, "sales")
        assert contract is not None and contract.origin == "adopted"  # no person has looked at it
    else:
        with pytest.raises(Refused), connection.begin_nested():
            apply(connection, number, policy, 20)
        assert state(connection, number) == State.PROPOSED


def test_a_decision_by_policy_that_somebody_wrote_down_counts_for_nothing(connection: Connection) -> None:
    number = proposed(connection)
    terms = proposals.terms_of(connection, number)
    connection.exec_driver_sql(
        "INSERT INTO cf_approvals (proposal_id, digest, decision, actor, is_self, reason, at_ns) "
        "VALUES (?, ?, 'policy', 'policy', 0, '', 1)",
        (number, terms.digest),
    )
    with pytest.raises(Refused, match="0 of 1"):
        apply(connection, number, Signed(), 20)


def test_an_approved_parser_may_run_by_itself_and_names_its_proposal(connection: Connection) -> None:
    connection.exec_driver_sql(
        "INSERT INTO cf_parsers (id, name, version, artifact_hash, env_hash, path, origin, status, manifest, "
        "registered_at_ns) VALUES (7, 'own', '1', 'a1', 'e1', '/p', 'plugin', 'pending', ?, 1)",
        (manifest_text(Manifest(name="own", entry=EntryForm.PARSE, tables="file")),),
    )
    DANA.enrol(connection)
    wanted = Draft(
        kind=Kind.PARSER,
        signature="p",
        table=None,
        subject="7",
        base_digest="a1",
        body=Activation(parser="own", version="1", artifact_hash="a1", env_hash="e1"),
        origin=Origin.PERSON,
        proposed_by="kim",
    )
    number = proposals.draft(connection, wanted, 2)
    proposals.propose(connection, number, Proof(risk=Risk.LOSSLESS), 3)
    approve(connection, DANA.says(connection, number), 20)
    row = parsers.describe(connection, 7)
    assert (row.status, row.activated_by) == ("active", number)


def test_a_held_contract_that_is_rejected_or_withdrawn_waits_no_more(connection: Connection) -> None:
    DANA.enrol(connection)
    held = contract_store.propose(connection, replace(SALES, table="t"), {"jobs": []}, "casparian", 1)
    number = contract_store.describe(connection, held).proposal_id
    with pytest.raises(UsageError, match="drafted from its files"):
        reject(connection, DANA.says(connection, number, Decision.REQUEST_CHANGES), 20, changes=True)
    reject(connection, DANA.says(connection, number, Decision.REJECT), 21, changes=False)
    assert contract_store.describe(connection, held).state == "rejected"
    assert contract_store.proposed(connection) == {}
    other = contract_store.propose(connection, replace(SALES, table="t"), {"jobs": []}, "casparian", 1)
    withdraw(connection, contract_store.describe(connection, other).proposal_id, "casparian", "", 22)
    assert contract_store.describe(connection, other).state == "withdrawn"


def test_a_first_contract_that_is_void_leaves_no_contract_that_waits(connection: Connection) -> None:
    held = contract_store.propose(connection, replace(SALES, table="t"), {"jobs": []}, "casparian", 1)
    number = contract_store.describe(connection, held).proposal_id
    put_contract(connection, replace(SALES, table="t"), GROUND, {})
    assert void_if_moved(connection, number, 21)
    assert contract_store.describe(connection, held).state == "void"
    assert contract_store.proposed(connection) == {}


def test_a_first_contract_whose_rows_are_erased_leaves_no_contract_that_waits(connection: Connection) -> None:
    held = contract_store.propose(connection, replace(SALES, table="t"), {"jobs": []}, "casparian", 1)
    number = contract_store.describe(connection, held).proposal_id
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    connection.exec_driver_sql("INSERT INTO cf_proposal_evidence VALUES (?, 1, 'blake3:gone', 1, '[]', 1)", (number,))
    scrub(connection, ["blake3:gone"], str, by="X-1", now_ns=21)
    assert state(connection, number) == State.VOID
    assert contract_store.describe(connection, held).state == "void"
    connection.exec_driver_sql("DELETE FROM cf_proposal_evidence")


@pytest.mark.parametrize("column", ["table_name", "subject", "proposed_by"])
def test_what_an_effect_or_the_count_of_approvals_goes_by_is_signed(connection: Connection, column: str) -> None:
    DANA.enrol(connection)
    KIM.enrol(connection)
    number = proposed(connection, by="kim")
    given = KIM.says(connection, number)
    connection.exec_driver_sql(f"UPDATE cf_proposals SET {column} = 'other' WHERE id = ?", (number,))
    with pytest.raises(ApprovalInvalid, match="not what was proposed"):
        approve(connection, given, 20)


def test_revoking_the_keys_of_the_others_makes_nobody_enough_for_what_was_proposed_before(
    connection: Connection,
) -> None:
    KIM.enrol(connection)
    DANA.enrol(connection)
    number = proposed(connection, by="kim")
    keys.revoke(connection, DANA.key, 20)
    with pytest.raises(SelfApproval, match="while others had a key") as refused:
        approve(connection, KIM.says(connection, number), 21)
    assert "approval withdraw A-" in refused.value.fix
    assert state(connection, number) == State.PROPOSED
    withdraw(connection, number, "kim", "", 22)
    keys.enrol(connection, LEE.public, actor="kim", added_by="kim", now_ns=23)
    again = proposed(connection, by="kim", now_ns=24)
    _, applied = approve(connection, KIM.says(connection, again), 25)
    assert applied is not None


def test_who_proposed_takes_it_back_and_that_is_kept(connection: Connection) -> None:
    DANA.enrol(connection)
    number = proposed(connection, by="kim")
    with pytest.raises(Refused, match="only by who proposed it") as refused:
        withdraw(connection, number, "dana", "", 20)
    assert refused.value.fix.startswith("casparian reject A-")
    assert state(connection, number) == State.PROPOSED
    withdraw(connection, number, "kim", "not needed", 21)
    assert state(connection, number) == State.WITHDRAWN
    [kept] = signed.decisions_of(connection, number)
    assert (kept.decision, kept.actor, kept.reason, kept.is_self) == ("withdraw", "kim", "not needed", True)
    with pytest.raises(ProposalOver):
        withdraw(connection, number, "dana", "", 22)


def test_what_the_product_drafted_anybody_takes_back_until_it_is_proposed(connection: Connection) -> None:
    body = Amendment(operations=(ADD,))
    by_product = Draft(
        kind=Kind.AMENDMENT,
        signature="d",
        table="sales",
        base_digest="b",
        body=body,
        origin=Origin.SYSTEM,
        proposed_by="casparian",
    )
    number = proposals.draft(connection, by_product, 10)
    by_person = replace(by_product, signature="e", origin=Origin.PERSON, proposed_by="kim")
    with pytest.raises(Refused, match="only by who proposed it"):
        withdraw(connection, proposals.draft(connection, by_person, 10), "dana", "", 20)
    with pytest.raises(Refused, match="only by who proposed it"):
        withdraw(connection, proposed(connection), "dana", "", 20)
    withdraw(connection, number, "dana", "", 20)
    assert state(connection, number) == State.WITHDRAWN


def test_a_crash_at_any_statement_of_apply_leaves_all_of_it_or_nothing(database: Database) -> None:
    with database.transaction() as connection:
        DANA.enrol(connection)
        number = proposed(connection)
        proposed(connection, Relax(column="at"), cause="t")
        given = DANA.says(connection, number)
    before = content(database.path)
    for stop in range(100):
        seen = 0

        def crash(*_: object, stop: int = stop) -> None:
            nonlocal seen
            seen += 1
            if seen > stop:
                raise KeyboardInterrupt

        engine = database.connection.engine
        event.listen(engine, "before_cursor_execute", crash)
        try:
            with database.transaction() as connection:
                approve(connection, given, 20)
        except KeyboardInterrupt:
            assert content(database.path) == before, stop
        else:
            break
        finally:
            event.remove(engine, "before_cursor_execute", crash)
    assert stop > 15
    after = content(database.path)
    assert after != before
    with database.transaction() as connection:
        contract = contract_store.of_table(connection, "sales")
        assert contract is not None and contract.version == 2
        assert state(connection, number) == State.APPLIED


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows, as a process sees them that opens the home now."""
    with sqlite3.connect(path) as connection:
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in metadata.tables}
    connection.close()
    return rows


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_change_has_an_effect(kind: Kind) -> None:
    assert isinstance(applying._effect(kind), Effect)
