"""How what `operations.quarantine.waiver` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import UsageError
from casparian_flow.core.proofs import Evidence
from casparian_flow.core.proposal_bodies import Selected, Selection, request_signature, selection_digest
from casparian_flow.core.proposals import MOVES, Kind, Origin, Risk, State
from casparian_flow.operations.approval.proposals import ProposalDetail
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.approval.proposal_view import detail
from casparian_flow.operations.doing.quarantine.causes import find_group
from casparian_flow.operations.quarantine.waiver import WaiveGroup
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.causes import waiting_entries
from casparian_flow.store.evidence import add_evidence
from casparian_flow.store.proposals import Draft, Proof


def waive(acting: Acting, request: WaiveGroup) -> ProposalDetail:
    """Put before those who decide that the rows of a cause which wait now are given up; asked twice it is one proposal.

    Raises NotFound, or UsageError without a reason.
    """
    if not request.reason.strip():
        raise UsageError("a waiver says why the rows are given up", fix="--reason TEXT")
    now_ns = acting.clock()
    with acting.database.transaction() as connection:
        group = find_group(connection, request.group, now_ns)
        found = waiting_entries(connection, group.group, group.table)
        entries = tuple(Selected(job=row.job_id, cause=group.group) for row in found)
        body, base = Selection(entries=entries), selection_digest(entries)
        wanted = Draft(
            kind=Kind.WAIVER,
            signature=request_signature(Kind.WAIVER, group.table, base, body),
            table=group.table,
            subject=group.group,
            base_digest=base,
            body=body,
            origin=Origin.PERSON,
            proposed_by=acting.actor,
            reason=request.reason.strip(),
        )
        proposal = proposal_store.draft(connection, wanted, now_ns)
        if State.PROPOSED in MOVES[State(proposal_store.one(connection, proposal).state)]:
            evidence = [
                Evidence(job=row.job_id, source_hash=row.source_hash, rows=row.rows, samples=(row.sample,))
                for row in found
            ]
            add_evidence(connection, proposal, evidence)
            proposal_store.propose(connection, proposal, Proof(risk=Risk.DESTRUCTIVE), now_ns)
        return detail(connection, proposal)
