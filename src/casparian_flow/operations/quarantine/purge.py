"""Proposes to erase rejected rows for good, from every table and from what the home repeats of them."""

from __future__ import annotations

from casparian_flow.operations.approval.proposals import ProposalDetail, Reason
from casparian_flow.operations.registry import Effect, Operation, Request


class PurgeGroup(Request, frozen=True, kw_only=True):
    """One group by its reference or a unique beginning of it: the rows that are in quarantine now, and no later ones.

    A group of which no row is left there is answered by the purge that erased them.
    """

    group: str
    reason: Reason


OPERATIONS = (
    Operation(
        "quarantine.purge",
        PurgeGroup,
        ProposalDetail,
        Effect.DRAFT,
        "quarantine.purge.purge",
        "Ask that rejected rows may be erased for good.",
    ),
)
