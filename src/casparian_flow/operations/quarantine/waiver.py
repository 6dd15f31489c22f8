"""Proposes to give rejected rows up: they stay where they are, and nobody has to deal with them any more."""

from __future__ import annotations

from casparian_flow.operations.approval.proposals import ProposalDetail, Reason
from casparian_flow.operations.registry import Effect, Operation, Request


class WaiveGroup(Request, frozen=True, kw_only=True):
    """One group by its reference or a unique beginning of it: the entries that wait now, and no later ones."""

    group: str
    reason: Reason


OPERATIONS = (
    Operation(
        "quarantine.waive",
        WaiveGroup,
        ProposalDetail,
        Effect.DRAFT,
        "quarantine.waiver.waive",
        "Ask that rejected rows may be given up.",
    ),
)
