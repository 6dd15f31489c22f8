"""How what `operations.quarantine.purge` names is done."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.errors import UsageError
from casparian_flow.core.proofs import Evidence
from casparian_flow.core.proposal_bodies import Selected, Selection, request_signature, selection_digest
from casparian_flow.core.proposals import MOVES, Kind, Origin, Risk, State
from casparian_flow.core.quarantine import EntryState
from casparian_flow.operations.approval.proposals import ProposalDetail
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.approval.proposal_view import detail
from casparian_flow.operations.doing.quarantine.causes import find_group
from casparian_flow.operations.quarantine.purge import PurgeGroup
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.causes import KEPT, kept_entries, purge_of
from casparian_flow.store.evidence import add_evidence
from casparian_flow.store.proposals import Draft, Proof


def purge(acting: Acting, request: PurgeGroup) -> ProposalDetail:
    """Put before those who decide that the rows of a cause which are in quarantine now are erased for good.

    Asked twice it is one proposal, also once it is applied: then nothing is left to erase. Raises NotFound, or
    UsageError without a reason.
    """
    if not request.reason.strip():
        raise UsageError("a purge says why the rows are erased", fix="--reason TEXT")
    now_ns = acting.clock()
    with acting.database.transaction() as connection:
        group = find_group(connection, request.group, now_ns, (*KEPT, EntryState.PURGED))
        if group.state is EntryState.PURGED:
            return detail(connection, purge_of(connection, group.group, group.table))
        return detail(connection, _proposed(connection, group.group, group.table, acting.actor, request.reason, now_ns))


def _proposed(connection: Connection, group: str, table: str, actor: str, reason: str, now_ns: int) -> int:
    found = kept_entries(connection, group, table)
    entries = tuple(Selected(job=row.job_id, cause=group) for row in found)
    body, base = Selection(entries=entries), selection_digest(entries)
    wanted = Draft(
        kind=Kind.PURGE,
        signature=request_signature(Kind.PURGE, table, base, body),
        table=table,
        subject=group,
        base_digest=base,
        body=body,
        origin=Origin.PERSON,
        proposed_by=actor,
        reason=reason.strip(),
    )
    proposal = proposal_store.draft(connection, wanted, now_ns)
    if State.PROPOSED in MOVES[State(proposal_store.one(connection, proposal).state)]:
        # Without samples: what is signed about them would be kept.
        # Bytes that several jobs read, each for other sinks, are one file with the same rows.
        of_bytes = {row.source_hash: row for row in found}
        evidence = [Evidence(job=row.job_id, source_hash=row.source_hash, rows=row.rows) for row in of_bytes.values()]
        add_evidence(connection, proposal, evidence)
        proposal_store.propose(connection, proposal, Proof(risk=Risk.DESTRUCTIVE), now_ns)
    return proposal
