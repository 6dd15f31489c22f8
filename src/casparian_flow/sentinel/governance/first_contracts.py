"""First contracts that no person has to look at: a setting or their parser decides."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.proofs import first_contract_signature
from casparian_flow.core.proposal_bodies import FirstContract, body_text
from casparian_flow.core.proposals import Kind, Origin, Risk, State
from casparian_flow.sentinel.governance.applying import Applied, apply
from casparian_flow.sentinel.governance.authority import Policy, Rule
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.proposals import Draft, Proof

MOST_EVIDENCE = 1000
"""Files that are kept as evidence where nobody has to look at it; one that waits for a person has all of them."""


def adopt(
    connection: Connection,
    contract: Contract,
    rule: Rule,
    actor: str,
    now_ns: int,
    *,
    jobs: Sequence[int] = (),
    reason: str = "",
) -> Applied:
    """Put the first contract of a table in force by policy; what waited for a person in its place is void.

    If exactly this contract waits for a person, it is that one. `jobs` are those whose rows it was drafted from.
    """
    signature, body = first_contract_signature(contract.table), FirstContract(contract=contract)
    waiting = proposal_store.living(connection, signature)
    if waiting is not None and (waiting.state != State.PROPOSED or waiting.body != body_text(body)):
        contract_store.void_held(connection, contract.table, now_ns)
        waiting = None
    if waiting is None:
        wanted = Draft(
            kind=Kind.CONTRACT,
            signature=signature,
            table=contract.table,
            base_digest="",
            body=body,
            origin=Origin.POLICY,
            proposed_by=actor,
            reason=reason,
        )
        proposal = proposal_store.draft(connection, wanted, now_ns)
        contract_store.add_jobs_behind(connection, proposal, jobs[:MOST_EVIDENCE])
        proposal_store.propose(connection, proposal, Proof(risk=Risk.ADDITIVE), now_ns)
    else:
        proposal = waiting.id
    return apply(connection, proposal, Policy(rule=rule), now_ns)
