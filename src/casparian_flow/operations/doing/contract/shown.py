"""One contract: in force, past, or as a proposal would make it."""

from __future__ import annotations

import json

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.amendment_text import tolerance_text
from casparian_flow.core.contracts import Contract, ContractState, version_of
from casparian_flow.core.errors import NotFound
from casparian_flow.core.proofs import new_output_signature
from casparian_flow.core.proposals import Kind, State, label
from casparian_flow.core.rule_text import rule_text
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.contract.contracts import ContractDetail, ContractEntry, ContractField, ShowContract
from casparian_flow.operations.doing.contract.contracts import body_of, entry_of, note_with_file
from casparian_flow.operations.doing.contract.would_be import WouldBe, is_proposal, would_be
from casparian_flow.store import proposals as proposal_store
from casparian_flow.store.signed import decisions_about, is_self_approved
from casparian_flow.store.views import contracts as view


def show(reading: Reading, request: ShowContract) -> ContractDetail:
    """One contract, or what a proposal would make of one; raises NotFound."""
    if is_proposal(request.contract):
        return _proposed(reading.connection, would_be(reading.connection, request.contract))
    row = _one(reading, request)
    body = body_of(row)
    return ContractDetail(
        contract=entry_of(row, body),
        state_version=version_of(row["digest"], ContractState(row["state"])),
        hash=row["hash"],
        digest=row["digest"],
        proposal=_proposal(reading.connection, row),
        is_self_approved=row["proposal_id"] is not None
        and is_self_approved(reading.connection, row["proposal_id"], row["digest"]),
        decision_reason=row["decision_reason"],
        fields=_fields(reading.connection, body),
        rules=[rule_text(rule) for rule in body.rules],
        drift={axis.value: mode.value for axis, mode in body.drift},
        tolerance=[tolerance_text(each) for each in body.tolerance],
        evidence=json.loads(row["evidence"]),
    )


def _proposed(connection: Connection, found: WouldBe) -> ContractDetail:
    row, contract = found.proposal, found.contract
    made = next((each for each in view.of_table(connection, contract.table) if each["proposal_id"] == row["id"]), None)
    decisions = decisions_about(connection, row["id"], row["digest"] or "") if row["decided_at_ns"] else []
    last = [each for each in decisions if each.decision == decisions[-1].decision]
    return ContractDetail(
        contract=ContractEntry(
            id=0 if found.base is None else found.base["id"],
            table=contract.table,
            version=contract.version,
            state=row["state"],
            origin=row["origin"] if made is None else made["origin"],
            columns=len(contract.columns),
            proposed=rfc3339(row["proposed_at_ns"] or row["drafted_at_ns"]),
            proposed_by=row["proposed_by"],
            decided=None if row["decided_at_ns"] is None else rfc3339(row["decided_at_ns"]),
            decided_by=", ".join(each.actor for each in last) or None,
        ),
        state_version=version_of(row["digest"] or "", State(row["state"])),
        hash=contract.hash,
        digest=row["digest"] or "",
        proposal=label(Kind(row["kind"]), row["id"]),
        is_self_approved=bool(row["is_self_approved"]),
        decision_reason=next((each.reason for each in reversed(last) if each.reason), None),
        fields=_fields(connection, contract),
        rules=[rule_text(rule) for rule in contract.rules],
        drift={axis.value: mode.value for axis, mode in contract.drift},
        tolerance=[tolerance_text(each) for each in contract.tolerance],
        evidence=None,
        is_proposed=True,
        changes=found.changes,
    )


def _fields(connection: Connection, contract: Contract) -> list[ContractField]:
    return [
        ContractField(
            name=column.name,
            type=column.type,
            nullable=column.nullable,
            format=column.format,
            sensitivity=column.sensitivity,
            original=column.original,
            note=note_with_file(connection, column),
        )
        for column in contract.columns
    ]


def _one(reading: Reading, request: ShowContract) -> RowMapping:
    named = request.contract
    # A table's name never begins with a digit, so a number can only be a contract.
    if named.isascii() and named.isdigit() and len(named) < 19:
        row = view.by_id(reading.connection, int(named))
        if row is None:
            raise NotFound(f"there is no contract {named}", fix="casparian contract list")
        return row
    rows = view.of_table(reading.connection, named)
    if not rows:
        waits = proposal_store.living(reading.connection, new_output_signature(named))
        raise NotFound(
            f"there is no contract for a table {named!r}",
            why="" if waits is None else "it is proposed, and waits for a person",
            fix="casparian contract list"
            if waits is None
            else f"casparian approval show {label(Kind(waits.kind), waits.id)}",
        )
    if request.version is not None:
        rows = [row for row in rows if row["version"] == request.version]
        if not rows:
            raise NotFound(f"the contract of {named} has no version {request.version}", fix="casparian contract list")
    return next((row for row in rows if row["state"] == ContractState.APPLIED), rows[0])


def _proposal(connection: Connection, row: RowMapping) -> str | None:
    if row["proposal_id"] is None:
        return None
    return label(Kind(proposal_store.one(connection, row["proposal_id"]).kind), row["proposal_id"])
