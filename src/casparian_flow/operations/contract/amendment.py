"""Changes of contracts, as far as they are asked for: who decides about them stands elsewhere."""

from __future__ import annotations

from casparian_flow.core.amendments import Op
from casparian_flow.operations.approval.proposals import ProposalDetail, Reason
from casparian_flow.operations.registry import Effect, Operation, Request


class AmendContract(Request, frozen=True, kw_only=True):
    """Operations on the contract in force of a table, in this order; with `from_data` those that its drift asks for."""

    table: str
    operations: tuple[Op, ...] = ()
    from_data: bool = False
    reason: Reason = ""


class ProposeAmendment(Request, frozen=True, kw_only=True):
    """A draft to be proven and put before those who decide; `full`: however much has to be read for it."""

    proposal: str
    full: bool = False


OPERATIONS = (
    Operation(
        "contract.amend",
        AmendContract,
        ProposalDetail,
        Effect.DRAFT,
        "contract.amendment.amend",
        "Propose a change of a table's contract.",
    ),
    Operation(
        "contract.propose",
        ProposeAmendment,
        ProposalDetail,
        Effect.EXECUTE,
        "contract.amendment.propose",
        "Prove a draft, and put it before those who decide.",
    ),
)
