"""How what `operations.approval.proposals` asks to see is done."""

from __future__ import annotations

from casparian_flow.core.proposals import LIVING
from casparian_flow.operations.approval.proposals import ListProposals, ProposalDetail, ProposalList, ShowProposal
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.approval.proposal_view import detail, entry, number
from casparian_flow.store.views import proposals as view


def list_(reading: Reading, request: ListProposals) -> ProposalList:
    """The proposals that the request selects."""
    states = request.states or sorted(LIVING)
    rows = view.list_proposals(reading.connection, kind=request.kind, states=states)
    return ProposalList(proposals=[entry(reading.connection, row) for row in rows])


def show(reading: Reading, request: ShowProposal) -> ProposalDetail:
    """One proposal; raises NotFound."""
    return detail(reading.connection, number(reading.connection, request.proposal))
