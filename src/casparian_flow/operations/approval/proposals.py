"""Approvals: the one inbox of every change that a person has to decide, and deciding.

Whoever decides signs: `ProposalDetail` has what is signed (`core.signing.Statement`), the private key stays with them.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.core.proofs import Empirical, Impact, Verdicts
from casparian_flow.core.proposals import Kind, State
from casparian_flow.core.signing import SIGNATURE_BYTES
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.rehearsal.replay import LeftOut, ReplayReply

LONGEST_REASON = 2000
Reason = Annotated[str, msgspec.Meta(max_length=LONGEST_REASON)]
Signature = Annotated[bytes, msgspec.Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]


class ListProposals(Request, frozen=True, kw_only=True):
    """Proposals of this kind in these states; without any those that can still be decided."""

    kind: Kind | None = None
    states: tuple[State, ...] = ()


class ProposalEntry(Reply, frozen=True, kw_only=True):
    """One proposal. `rows` and `files` speak for it; `approvals` of `needed` persons agree; a draft may not know yet.

    `needed` is what its risk asks for, `enough` how many approvals apply it in this home as it is now: in the home of
    one person (`is_single_person`) that person alone, and where nobody has a key yet whoever decides first.
    `enough_because` says why they are fewer, while it can be decided.
    """

    id: str
    kind: str
    table: str | None
    what: str
    state: str
    risk: str | None
    proposed_by: str
    proposed: str | None
    rows: int
    files: int
    approvals: int
    needed: int | None
    enough: int | None
    enough_because: str | None
    is_single_person: bool
    is_self_approved: bool
    is_by_policy: bool


class ProposalList(Reply, frozen=True, kw_only=True):
    """Those that wait for a decision first, then drafts, the newest first."""

    proposals: list[ProposalEntry]


class ShowProposal(Request, frozen=True, kw_only=True):
    """One proposal: its name such as A-8, or its number."""

    proposal: str


class OperationShown(Reply, frozen=True, kw_only=True):
    """One step of the change: which, and what it says."""

    op: str
    says: str


class EvidenceEntry(Reply, frozen=True, kw_only=True):
    """One file that speaks for it. What `is_signed` is part of what is decided; the rest came later."""

    path: str
    source_hash: str
    rows: int
    samples: list[str]
    job: str
    is_signed: bool


class DecisionEntry(Reply, frozen=True, kw_only=True):
    """What somebody decided. `is_valid`: it is about exactly what is proposed now, and its signature holds.

    `trouble` says why it is not.
    """

    actor: str
    decision: str
    at: str
    reason: str
    key: str | None
    is_self: bool
    is_valid: bool
    trouble: str | None


class ProposalDetail(Reply, frozen=True, kw_only=True):
    """One proposal with everything that is known about it. `home` and `digest` are what a decision signs.

    `hints` name changes that may be meant instead. `trouble` says, while it waits, that what is kept is not what was
    proposed: somebody changed it in the database.
    """

    proposal: ProposalEntry
    state_version: str
    home: str
    digest: str | None
    base: str
    reason: str
    operations: list[OperationShown]
    hints: list[str]
    samples: list[str]
    evidence: list[EvidenceEntry]
    since: int
    static: Verdicts | None
    empirical: Empirical | None
    impact: Impact | None
    decisions: list[DecisionEntry]
    void_reason: str | None
    trouble: str | None


class SignedDecision(Request, frozen=True, kw_only=True):
    """What is decided about a proposal with this digest, at that moment (nanoseconds since 1970), signed with that key.

    `if_version` is the `state_version` under which it was seen.
    """

    proposal: str
    digest: str
    reason: Reason = ""
    at: int
    key: str
    signature: Signature
    if_version: str | None = None


class ApproveProposal(SignedDecision, frozen=True, kw_only=True):
    """Agree to it; with `wait` until the runs that it promises are done."""

    wait: bool = True


class RejectProposal(SignedDecision, frozen=True, kw_only=True):
    """It is not to be; with `changes` it goes back to who proposed it."""

    changes: bool = False


class WithdrawProposal(Request, frozen=True, kw_only=True):
    """Nobody is to decide about it any more: who proposed it says so, or anybody of what the product drafted."""

    proposal: str
    reason: Reason = ""


class EndedProposal(Reply, frozen=True, kw_only=True):
    """A proposal that is void since rows spoke for it that are erased; which takes its place, if one does."""

    proposal: str
    why: str


class ErasedRows(Reply, frozen=True, kw_only=True):
    """What a purge erased for good, quarantined rows and older versions of the files included; what `ended` by it."""

    rows: int
    files: int
    tables: list[str]
    ended: list[EndedProposal] = msgspec.field(default_factory=list)


class Decided(Reply, frozen=True, kw_only=True):
    """What became of a proposal: whether it `is_applied` now, and the contract that it put in force.

    `approvers` agreed so far; `uncounted` says of decisions why they do not count; `replay` reads again, but for the
    `unread` files that it would read and that are all gone, and for those `left_out`, of which a person reverted what
    they brought; `erased` is what went where it was a purge. `next` are the first runs that read what it concerns and
    nothing has read since, each as it was read before.
    """

    proposal: ProposalEntry
    digest: str
    decided_by: str
    is_applied: bool
    approvers: list[str]
    uncounted: list[str]
    contract: int | None = None
    table: str | None = None
    version: int | None = None
    replay: ReplayReply | None = None
    unread: int = 0
    left_out: list[LeftOut] = msgspec.field(default_factory=list)
    erased: ErasedRows | None = None
    next: list[str] = msgspec.field(default_factory=list)


OPERATIONS = (
    Operation(
        "approval.list",
        ListProposals,
        ProposalList,
        Effect.READ,
        "approval.proposals.list_",
        "What waits for approval.",
    ),
    Operation(
        "approval.show",
        ShowProposal,
        ProposalDetail,
        Effect.READ,
        "approval.proposals.show",
        "One proposal, with its evidence.",
        version_at="state_version",
    ),
    Operation(
        "approval.approve",
        ApproveProposal,
        Decided,
        Effect.APPROVE,
        "approval.deciding.approve",
        "Agree to a proposal.",
    ),
    Operation(
        "approval.reject", RejectProposal, Decided, Effect.APPROVE, "approval.deciding.reject", "Refuse a proposal."
    ),
    Operation(
        "approval.withdraw",
        WithdrawProposal,
        Decided,
        Effect.DRAFT,
        "approval.deciding.withdraw",
        "Take a proposal back.",
    ),
)
