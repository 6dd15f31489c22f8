"""How a proposal is shown: one line of the inbox, or all that is known about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, RowMapping

from casparian_flow.core.contracts import version_of
from casparian_flow.core.errors import CasparianError, NotFound
from casparian_flow.core.proofs import Empirical, Impact, Verdicts, merged_samples
from casparian_flow.core.proposal_bodies import body_of
from casparian_flow.core.proposal_text import steps, what
from casparian_flow.core.proposals import APPROVERS, LIVING, Decision, Kind, Risk, State, label, number_of
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.approval.proposals import (
    DecisionEntry,
    EvidenceEntry,
    OperationShown,
    ProposalDetail,
    ProposalEntry,
)
from casparian_flow.operations.doing.approval.hints import hints
from casparian_flow.sentinel.governance.authority import check_signature, checked_terms
from casparian_flow.store import keys
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.meta import home_id
from casparian_flow.store.signed import decisions_of
from casparian_flow.store.views import proposals as view

Part = TypeVar("Part", Verdicts, Empirical, Impact)
MOST_FILES = 20


def number(connection: Connection, named: str) -> int:
    """The number of the proposal that a name such as A-8 means; raises NotFound, also where the letter is another."""
    asked, kind = number_of(named)
    row = view.by_number(connection, asked)
    if row is None or kind not in (None, row["kind"]):
        raise NotFound(
            f"there is no proposal {named}",
            why="" if row is None else f"{asked} is {label(Kind(row['kind']), asked)}",
            fix="casparian approval list --all",
        )
    return asked


def entry(connection: Connection, row: RowMapping) -> ProposalEntry:
    """One line of the inbox."""
    kind = Kind(row["kind"])
    actors = keys.actors(connection, row["proposed_at_ns"])
    needed = APPROVERS[Risk(row["risk"])] if row["risk"] else None
    enough, because = _enough(needed, actors) if row["state"] in LIVING else (needed, None)
    return ProposalEntry(
        id=label(kind, row["id"]),
        kind=kind,
        table=row["table_name"],
        what=what(body_of(row["body"])),
        state=row["state"],
        risk=row["risk"],
        proposed_by=row["proposed_by"],
        proposed=None if row["proposed_at_ns"] is None else rfc3339(row["proposed_at_ns"]),
        rows=row["evidence_rows"],
        files=row["evidence_files"],
        approvals=row["approved"],
        needed=needed,
        enough=enough,
        enough_because=because,
        is_single_person=len(actors) == 1,
        is_self_approved=bool(row["is_self_approved"]),
        is_by_policy=bool(row["is_by_policy"]),
    )


def _enough(needed: int | None, actors: Sequence[str]) -> tuple[int | None, str | None]:
    """How many approvals are enough where only these actors have keys, and why, if it is fewer than its risk asks."""
    if needed is None or needed == 1 or len(actors) > 1:
        return needed, None
    if actors:
        return 1, f"all keys of this home belong to {actors[0]}"
    return 1, "nobody has a key in this home yet, and who decides first is its only approver"


def entry_of(connection: Connection, proposal: int) -> ProposalEntry:
    """The same of one that is there."""
    row = view.by_number(connection, proposal)
    assert row is not None
    return entry(connection, row)


def detail(connection: Connection, proposal: int) -> ProposalDetail:
    """Everything that is known about one that is there."""
    row = view.by_number(connection, proposal)
    assert row is not None
    home = home_id(connection)
    evidence = [
        EvidenceEntry(
            path=each["path"],
            source_hash=each["source_hash"],
            rows=each["rows"],
            samples=json.loads(each["samples"]),
            job=str(each["job_id"]),
            is_signed=bool(each["is_signed"]),
        )
        for each in view.evidence_files(connection, proposal, MOST_FILES)
    ]
    samples: tuple[str, ...] = ()
    for each in evidence:
        samples = merged_samples(samples, each.samples)
    return ProposalDetail(
        proposal=entry(connection, row),
        state_version=version_of(row["digest"] or "", State(row["state"])),
        home=home,
        digest=row["digest"],
        base=row["base_digest"],
        reason=row["reason"],
        operations=[OperationShown(op=op, says=says) for op, says in steps(body_of(row["body"]))],
        samples=list(samples),
        evidence=evidence,
        hints=hints(connection, row),
        since=view.rows_since(connection, proposal) if row["digest"] else 0,
        static=_part(row["verdicts"], Verdicts),
        empirical=_part(row["empirical"], Empirical),
        impact=_part(row["impact"], Impact),
        decisions=[_decision(connection, home, row["digest"], each) for each in decisions_of(connection, proposal)],
        void_reason=row["void_reason"],
        trouble=_changed(connection, proposal) if row["state"] == State.PROPOSED else None,
    )


def _changed(connection: Connection, proposal: int) -> str | None:
    try:
        checked_terms(connection, proposal_store.one(connection, proposal))
    except CasparianError as exc:
        return exc.message
    return None


def _decision(connection: Connection, home: str, digest: str | None, row: AnyRow) -> DecisionEntry:
    trouble = _trouble(connection, home, digest, row)
    return DecisionEntry(
        actor=row.actor,
        decision=row.decision,
        at=rfc3339(row.at_ns),
        reason=row.reason,
        key=row.key_id,
        is_self=bool(row.is_self),
        is_valid=trouble is None,
        trouble=trouble,
    )


def _trouble(connection: Connection, home: str, digest: str | None, row: AnyRow) -> str | None:
    if row.digest != digest:
        return "it is about what was proposed before"
    if row.decision in (Decision.POLICY, Decision.WITHDRAW):  # what nobody signs
        return None
    try:
        check_signature(connection, home, row)
    except CasparianError as exc:
        return f"{exc.message} ({exc.why})" if exc.why else exc.message
    return None


def _part(text: str | None, kind: type[Part]) -> Part | None:
    return None if text is None else msgspec.json.decode(text, type=kind)
