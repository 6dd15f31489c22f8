"""Proposes that a parser of the home may run by itself."""

from __future__ import annotations

from casparian_flow.operations.approval.proposals import ProposalDetail, Reason
from casparian_flow.operations.registry import Effect, Operation, Request


class ProposeParser(Request, frozen=True, kw_only=True):
    """A parser among the plugins, by its name: exactly the artifact that lies there now.

    A `backtest` of it, such as B-4, says what it would change; without a row lost or changed one person is enough.
    """

    parser: str
    backtest: str | None = None
    reason: Reason = ""


OPERATIONS = (
    Operation(
        "parser.propose",
        ProposeParser,
        ProposalDetail,
        Effect.DRAFT,
        "parser.proposal.propose",
        "Ask that a parser may run by itself.",
    ),
)
