"""Proposals in the control database: one lives for each cause, and what was proposed never changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from approvers import Approver
from casparian_flow.core.amendments import Relax
from casparian_flow.core.errors import InvariantBroken, NotFound, ProposalVoid, UsageError, VersionChanged
from casparian_flow.core.proofs import Empirical, Evidence, Verdicts
from casparian_flow.core.proposal_bodies import Amendment, FirstContract, body_of
from casparian_flow.core.proposals import Decision, Kind, Origin, Risk, State
from casparian_flow.core.quarantine import group_reference
from casparian_flow.core.signing import Statement, key_id, public_half, sign, verify
from casparian_flow.sentinel.governance import deciding
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import evidence, governed, keys, migrate, proposals, signed
from casparian_flow.store.database import Database
from casparian_flow.store.engine import make_engine
from casparian_flow.store.meta import home_id
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.views import proposals as view

PROVEN = Proof(
    risk=Risk.LOSSLESS, verdicts=Verdicts(reads_old=True, keeps_readers=True), empirical=Empirical(is_complete=True)
)
PRIVATE = bytes(range(32))
BEHIND = [
    "INSERT INTO scout_sources (id, root, \"only\", display, added_at_ns) VALUES (1, X'2F65', X'', '/e', 1)",
    """INSERT INTO scout_locations (id, source_id, rel_path, display, kind, size, mtime_ns, ctime_ns, inode, is_dirty,
        last_scan_id, current_version_id) VALUES (1, 1, X'61', 'a', 'file', 3, 1, 1, 1, 0, 1, 1)""",
    "INSERT INTO scout_hashes VALUES ('h1', 3, 1)",
    """INSERT INTO scout_versions (id, location_id, source_hash, size, mtime_ns, content, content_reason,
        detected_at_ns) VALUES (1, 1, 'h1', 3, 1, 'delimited', 'why', 1)""",
    """INSERT INTO cf_parsers (id, name, version, artifact_hash, env_hash, path, origin, status, manifest,
        registered_at_ns) VALUES (1, 'csv', '1', 'a1', 'e1', '/p', 'shipped', 'active', '{}', 1)""",
    *(
        f"""INSERT INTO cf_jobs (id, plan_id, location_id, version_id, source_hash, parser_id, reason, config,
        config_hash, routes, base_table, state, attempt, priority, queued_at_ns, rows_read)
        VALUES ({job}, 1, 1, 1, 'h1', 1, 'new', '{{}}', 'c', '{{}}', 'sales', 'rejected', 1, 10, 1, {job})"""
        for job in (5, 6)
    ),
]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        for statement in BEHIND:
            connection.exec_driver_sql(statement)
        yield connection
    database.close()


WANTED = Draft(
    kind=Kind.AMENDMENT,
    signature="s1",
    table="sales",
    base_digest="b",
    body=Amendment(operations=(Relax(column="at"),)),
    origin=Origin.SYSTEM,
    proposed_by="casparian",
)


def test_one_proposal_lives_for_each_cause(connection: Connection) -> None:
    first = proposals.draft(connection, WANTED, 1)
    assert proposals.draft(connection, replace(WANTED, proposed_by="kim"), 2) == first
    proposals.propose(connection, first, PROVEN, 3)
    assert proposals.draft(connection, WANTED, 4) == first
    proposals.move(connection, first, State.REJECTED, 5)
    second = proposals.draft(connection, WANTED, 6)
    assert second != first
    assert [row.id for row in proposals.living_of_table(connection, "sales")] == [second]
    found_by = f"EXPLAIN QUERY PLAN {proposals.LIVING_OF_CAUSE.compile(connection)}"
    assert any("uq_cf_proposals_living" in row.detail for row in connection.exec_driver_sql(found_by, ("s1",)))


def test_a_digest_stays_while_evidence_grows_and_is_another_when_it_is_proposed_again(connection: Connection) -> None:
    number = proposals.draft(connection, WANTED, 1)
    with pytest.raises(ProposalVoid):
        proposals.terms_of(connection, number)
    evidence.add_evidence(connection, number, [Evidence(job=5, source_hash="h1", rows=3, samples=("a",))])
    digest = proposals.propose(connection, number, PROVEN, 2)
    assert proposals.terms_of(connection, number).digest == digest
    later = [Evidence(job=5, source_hash="h1", rows=90), Evidence(job=6, source_hash="h1", rows=4)]
    evidence.add_evidence(connection, number, later)
    row = proposals.one(connection, number)
    assert (row.digest, row.evidence_rows, row.evidence_files) == (digest, 4, 1), "the same bytes say it once"
    assert evidence.signed_evidence(connection, number) == (3, 1)
    assert view.rows_since(connection, number) == 4
    with pytest.raises(VersionChanged):
        proposals.rewrite(connection, number, WANTED.body, "b", "")
    proposals.move(connection, number, State.CHANGES_REQUESTED, 3)
    proposals.rewrite(connection, number, WANTED.body, "b", "")
    again = proposals.propose(connection, number, PROVEN, 4)
    assert again != digest
    assert evidence.signed_evidence(connection, number) == (4, 1)


def test_only_the_allowed_moves_are_made_and_only_what_applies_approves(connection: Connection) -> None:
    number = proposals.draft(connection, WANTED, 1)
    with pytest.raises(VersionChanged):
        proposals.move(connection, number, State.REJECTED, 2)
    for state in (State.APPROVED, State.APPLIED, State.PROPOSED, State.DRAFT):
        with pytest.raises(InvariantBroken):
            proposals.move(connection, number, state, 2)
    digest = proposals.propose(connection, number, PROVEN, 2)
    with pytest.raises(VersionChanged):
        proposals.propose(connection, number, PROVEN, 2)
    with pytest.raises(VersionChanged):
        governed.mark_approved(connection, number, "another", 3)
    with pytest.raises(VersionChanged):
        governed.mark_applied(connection, number, 3)
    governed.mark_approved(connection, number, digest, 3)
    with pytest.raises(VersionChanged):
        proposals.move(connection, number, State.WITHDRAWN, 4)
    governed.mark_applied(connection, number, 4)
    row = proposals.one(connection, number)
    assert (row.state, row.decided_at_ns, row.applied_at_ns) == ("applied", 3, 4)
    with pytest.raises(NotFound):
        proposals.one(connection, 99)


def test_what_speaks_for_a_void_proposal_goes_over_to_its_heir(connection: Connection) -> None:
    number = proposals.draft(connection, replace(WANTED, plan=7), 1)
    evidence.add_evidence(connection, number, [Evidence(job=5, source_hash="h1", rows=3, samples=("ä",))])
    assert [row.id for row in proposals.touched(connection, [7])] == [number]
    heir = proposals.replace_void(connection, number, replace(WANTED, base_digest="b2"), "the base moved", 2)
    assert proposals.one(connection, number).void_reason == f"the base moved; A-{heir} takes its place"
    assert evidence.evidence_of(connection, heir) == evidence.evidence_of(connection, number)
    proposals.touch(connection, 8, {heir: b"survey"})
    assert [row.survey for row in proposals.touched(connection, [8])] == [b"survey"]
    [file] = view.evidence_files(connection, heir, 20)
    assert (file["path"], file["rows"], json.loads(file["samples"])) == ("a", 3, ["ä"])


def test_decisions_are_kept_as_they_were_signed_and_once_for_each_actor_and_digest(connection: Connection) -> None:
    public = public_half(PRIVATE)
    name = keys.enrol(connection, public, actor="dana", added_by="dana", now_ns=1)
    assert name == keys.enrol(connection, public, actor="dana", added_by="kim", now_ns=2) == key_id(public)
    assert keys.is_single_person(connection)
    with pytest.raises(UsageError):
        keys.enrol(connection, public, actor="kim", added_by="kim", now_ns=3)
    number = proposals.draft(connection, replace(WANTED, proposed_by="dana"), 1)
    digest = proposals.propose(connection, number, PROVEN, 2)
    said = Statement(
        home=home_id(connection),
        proposal=number,
        digest=digest,
        decision=Decision.APPROVE,
        actor="dana",
        reason="so",
        at_ns=3,
    )
    signed.add_decision(connection, said, key=name, signature=sign(PRIVATE, said), is_self=True)
    with pytest.raises(VersionChanged):
        signed.add_decision(connection, said, key=name, signature=sign(PRIVATE, said), is_self=True)
    [row] = signed.decisions_about(connection, number, digest)
    verify(public, row.signature, signed.statement_of(home_id(connection), row))
    assert signed.decisions_about(connection, number, "another") == []
    assert len(signed.decisions_of(connection, number)) == 1
    [entry] = view.list_proposals(connection, kind=Kind.AMENDMENT, states=list(State), table="sales")
    assert (entry["approved"], entry["is_self_approved"]) == (1, 1)
    keys.revoke(connection, name, 4)
    assert not keys.is_single_person(connection)
    assert keys.living_keys(connection) == [] != keys.every_key(connection)
    with pytest.raises(NotFound):
        keys.revoke(connection, name, 5)
    with pytest.raises(UsageError):
        keys.enrol(connection, public, actor="dana", added_by="dana", now_ns=6)


def make_fourth(path: Path) -> None:
    """A home as the release before left it, with a first contract that is held and a cause in quarantine."""
    engine = make_engine(path, read_only=False)
    scripts = migrate._scripts()
    body = '{"columns": [{"name": "id", "type": "int64"}], "origin": "adopted", "table": "sales", "version": 1}'
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"fn": lambda revision, _context: scripts._upgrade_revs("0004", revision)}
        )
        with connection.begin(), Operations.context(context):
            context.run_migrations()
        with connection.begin():
            for statement in BEHIND:
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(
                """INSERT INTO cf_quarantine_groups (job_id, table_name, code, column_name, shape, rows, message,
                    sample, state, is_current) VALUES (5, 'sales', 'cf.cast.int64', 'id', 'A', 1, 'm', 's', 'open', 1),
                    (6, 'sales', 'cf.cast.int64', 'id', 'A', 2, 'm', 's', 'open', 1)"""
            )
            connection.exec_driver_sql(
                """INSERT INTO schema_contracts (id, table_name, version, state, origin, hash, digest, body, evidence,
                    proposed_at_ns, proposed_by) VALUES (3, 'sales', 1, 'proposed', 'adopted', 'h', 'd', ?,
                    '{"jobs": [5, 6, 404]}', 9, 'casparian')""",
                (body,),
            )
    engine.dispose()


def test_a_held_contract_of_the_release_before_is_a_proposal_with_its_evidence(tmp_path: Path) -> None:
    make_fourth(tmp_path / "state.sqlite3")
    database = Database(tmp_path / "state.sqlite3")
    with database.transaction() as connection:
        [row] = view.list_proposals(connection, kind=None, states=[State.PROPOSED])
        assert (row["kind"], row["table_name"], row["subject"], row["risk"]) == ("contract", "sales", "3", "additive")
        assert (row["evidence_rows"], row["evidence_files"], row["proposed_by"]) == (11, 1, "casparian")
        assert proposals.terms_of(connection, row["id"]).digest == row["digest"]
        body = body_of(row["body"])
        assert isinstance(body, FirstContract)
        assert body.contract.names == ("id",)
        reference = group_reference("csv", "sales", "cf.cast.int64", "id", "A")
        [cause] = connection.exec_driver_sql("SELECT reference, parser_name, owner FROM cf_causes").all()
        assert tuple(cause) == (reference, "csv", None)
        named = connection.exec_driver_sql("SELECT DISTINCT reference, bytes FROM cf_quarantine_groups").all()
        assert [tuple(each) for each in named] == [(reference, 0)]
        dana = Approver("dana").enrol(connection)
        _, applied = deciding.approve(connection, dana.says(connection, row["id"]), 20)
        assert applied is not None and applied.contract == 3
        assert contract_store.describe(connection, 3).state == "applied"
    database.close()


def test_a_contract_that_is_held_now_is_proposed_and_void_once_another_takes_its_place(connection: Connection) -> None:
    body = body_of('{"contract": {"columns": [], "table": "t", "version": 1}, "kind": "contract"}')
    assert isinstance(body, FirstContract)
    number = contract_store.propose(connection, body.contract, {"jobs": [5]}, "casparian", 1)
    assert contract_store.propose(connection, body.contract, {"jobs": [5]}, "casparian", 2) == number
    [waiting] = proposals.living_of_table(connection, "t")
    assert (waiting.state, waiting.subject, waiting.evidence_rows) == ("proposed", str(number), 5)
    adopt(connection, replace(body.contract, headerless=True), Rule.ADOPT, "casparian", 3)
    assert proposals.one(connection, waiting.id).state == State.VOID
