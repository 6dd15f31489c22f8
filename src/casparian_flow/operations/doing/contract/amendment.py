"""How what `operations.contract.amendment` names is done."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from sqlalchemy import Connection

from casparian_flow.core.amendments import Op
from casparian_flow.core.contract_checks import needs_append
from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import NotFound, ProposalVoid, RuleInvalid, UsageError, VersionChanged
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.proposal_bodies import Amendment, request_signature
from casparian_flow.core.proposals import MOVES, Kind, Origin, State, label
from casparian_flow.operations.approval.proposals import ProposalDetail
from casparian_flow.operations.context import Acting
from casparian_flow.operations.contract.amendment import AmendContract, ProposeAmendment
from casparian_flow.operations.doing.approval.proposal_view import detail, number
from casparian_flow.operations.doing.contract.proving import prove
from casparian_flow.schema.amend import amended
from casparian_flow.schema.references import check_references
from casparian_flow.sentinel.governance.affected import said_by_files, wanted_by_files
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.evidence import add_evidence
from casparian_flow.store.views import affected as view


def amend(acting: Acting, request: AmendContract) -> ProposalDetail:
    """Draft what is asked for, and propose it once it is proven; asked for twice it is one proposal.

    Raises NotFound for a table without a contract, UsageError for what cannot be done to it.
    """
    with acting.database.transaction() as connection:
        in_force = contract_store.in_force(connection)
        base = _of_table(in_force, request.table)
        operations = request.operations
        if request.from_data:
            operations = (*operations, *wanted_by_files(connection, base, operations))
            if not operations:
                raise UsageError(f"no file of {base.table} differs from its contract: they ask for nothing")
        check_change(connection, amended(base, operations), in_force)
        proposal = _draft(connection, acting, base, operations, request)
        is_new = proposal_store.one(connection, proposal).state == State.DRAFT
    if is_new:
        prove(acting, proposal)
    return _detail(acting, proposal)


def propose(acting: Acting, request: ProposeAmendment) -> ProposalDetail:
    """Prove a draft and put it before those who decide; raises NotFound, and VersionChanged if it is none.

    Raises ProposalVoid if its base is not in force any more; it is void from then on.
    """
    with acting.database.transaction() as connection:
        row = proposal_store.one(connection, number(connection, request.proposal))
        _demand(row)
        if row.kind != Kind.AMENDMENT:
            why = row.reason if row.kind == Kind.CONTRACT else ""
            raise UsageError(f"{request.proposal} is no change of a contract", why=why, fix="casparian approval list")
    try:
        prove(acting, row.id, full=request.full)
    except ProposalVoid as exc:
        with acting.database.transaction() as connection:
            proposal_store.move(connection, row.id, State.VOID, acting.clock(), why=exc.message)
        raise
    return _detail(acting, row.id)


def check_change(connection: Connection, contract: Contract, in_force: Mapping[str, Contract]) -> None:
    """Raises RuleInvalid for rules that make no sense beside other tables, or with how the table lands."""
    sinks = view.sinks_of_tables(connection)
    check_references(contract, in_force, sinks)
    rule = needs_append(contract)
    if rule is not None and SinkMode.REPLACE in view.modes_of(connection, contract.table):
        to = [word for sink in sorted(sinks.get(contract.table, ())) for word in ("--sink", sink)]
        raise RuleInvalid(
            f"rule {rule} is about rows that were there before, and {contract.table} is replaced by every run",
            fix=shlex.join(["casparian", "topic", "set", contract.table, *to, "--mode", SinkMode.APPEND]),
        )


def _of_table(in_force: Mapping[str, Contract], table: str) -> Contract:
    if table not in in_force:
        raise NotFound(f"there is no contract in force for a table {table!r}", fix="casparian contract list")
    return in_force[table]


def _draft(
    connection: Connection, acting: Acting, base: Contract, operations: tuple[Op, ...], request: AmendContract
) -> int:
    body = Amendment(operations=operations)
    wanted = proposal_store.Draft(
        kind=Kind.AMENDMENT,
        signature=request_signature(Kind.AMENDMENT, base.table, base.hash, body),
        table=base.table,
        base_digest=base.hash,
        body=body,
        origin=Origin.INFERENCE if request.from_data else Origin.PERSON,
        proposed_by=acting.actor,
        reason=request.reason.strip(),
    )
    proposal = proposal_store.draft(connection, wanted, acting.clock())
    add_evidence(connection, proposal, said_by_files(connection, base, operations))
    return proposal


def _demand(row: AnyRow) -> None:
    if State.PROPOSED not in MOVES[State(row.state)]:
        name = label(Kind(row.kind), row.id)
        raise VersionChanged(f"{name} is {row.state}, and is not proposed again", fix=f"casparian approval show {name}")


def _detail(acting: Acting, proposal: int) -> ProposalDetail:
    with acting.database.transaction() as connection:
        return detail(connection, proposal)
