"""What is said to do next about a proposal is something that its proof allows."""

from __future__ import annotations

from typing import Any, cast

import pytest

from casparian_flow.clients.cli.proposal_lines import proposal_lines
from casparian_flow.core.proofs import Empirical
from casparian_flow.operations.approval.proposals import ProposalDetail, ProposalEntry

ENTRY = ProposalEntry(
    id="A-8", kind="amendment", table="t", what="widen n to decimal(20,1)", state="proposed", risk="lossless",
    proposed_by="ann", proposed=None, rows=1, files=1, approvals=0, needed=1, enough=1, enough_because=None,
    is_single_person=True, is_self_approved=False, is_by_policy=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "next_step"),
    [
        (Empirical(is_complete=True), "approve A-8 --reason TEXT"),
        (Empirical(is_complete=True, contradicts=("reads-old: 1 row",)), "approval withdraw A-8 --reason TEXT"),
        (Empirical(is_complete=False), "approval withdraw A-8 --reason TEXT"),
    ],
)
def test_nobody_is_told_to_approve_what_cannot_be_applied(seen: Empirical, next_step: str) -> None:
    nothing: dict[str, Any] = dict.fromkeys(("digest", "static", "impact", "void_reason", "trouble"))
    none: dict[str, Any] = {name: [] for name in ("operations", "hints", "samples", "evidence", "decisions")}
    detail = ProposalDetail(
        proposal=ENTRY, state_version="1", home="h", base="b", reason="", since=0, empirical=seen, **nothing, **none
    )
    assert list(proposal_lines(cast(Any, None), detail))[-1] == f"next: casparian {next_step}"
