"""Asks for approval to erase the rows of files that sources which purge have no more."""

from __future__ import annotations

from itertools import groupby

from sqlalchemy import Connection

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.proofs import Evidence
from casparian_flow.core.proposal_bodies import Selection, selection_digest
from casparian_flow.core.proposals import SYSTEM, Kind, Origin, Risk, State
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.evidence import add_evidence
from casparian_flow.store.proposals import Draft, Proof
from casparian_flow.store.tombstones import lost_files


def propose_purges(connection: Connection, now_ns: int) -> list[int]:
    """One proposal for each source, about all that it lost; one about less gives way to it. Those that are new."""
    new = []
    for source, rows in groupby(lost_files(connection), lambda row: int(row.source_id)):
        lost = {(row.job_id, row.source_hash): row for row in rows}
        hashes = tuple(sorted({source_hash for _, source_hash in lost}))
        base = selection_digest((), hashes)
        signature = digest_of_json(["purge", source])
        known = proposal_store.living(connection, signature)
        if known is not None and known.base_digest == base:
            continue
        if known is not None:
            proposal_store.move(connection, known.id, State.VOID, now_ns, why="its source lost other files since")
        wanted = Draft(
            kind=Kind.PURGE,
            signature=signature,
            table=None,
            base_digest=base,
            body=Selection(sources=hashes),
            origin=Origin.POLICY,
            proposed_by=SYSTEM,
            reason=f"the policy of source {source} is purge",
        )
        proposal = proposal_store.draft(connection, wanted, now_ns)
        found: dict[int, Evidence] = {}
        for (job, source_hash), row in lost.items():
            found[job] = Evidence(job=job, source_hash=source_hash, rows=row.rows)
        add_evidence(connection, proposal, list(found.values()))
        proposal_store.propose(connection, proposal, Proof(risk=Risk.DESTRUCTIVE), now_ns)
        new.append(proposal)
    return new
