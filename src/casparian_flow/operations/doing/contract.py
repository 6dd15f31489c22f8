"""How what `operations.contract` names is done."""

from __future__ import annotations

import json
import re

import msgspec
from sqlalchemy import Connection, RowMapping

from casparian_flow.core.contracts import Contract, ContractColumn, ContractState, Origin, version_of
from casparian_flow.core.errors import NotFound, VerificationFailed, VersionChanged
from casparian_flow.core.hashing import PREFIX, SHORT_HASH
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.contract import (
    ApproveContract,
    Approved,
    ContractDetail,
    ContractEntry,
    ContractField,
    ContractList,
    ListContracts,
    ShowContract,
)
from casparian_flow.schema.notes import without_value
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.views import contracts as view
from casparian_flow.store.views import lineage

DRAFTED = "drafted"
_HASH_IN_NOTE = re.compile(rf"{PREFIX}[0-9a-f]{{{SHORT_HASH}}}")
_UNTOLD = ("personal", "secret")
LIVING = (ContractState.DRAFT, ContractState.PROPOSED, ContractState.APPROVED, ContractState.APPLIED)


def list_(reading: Reading, request: ListContracts) -> ContractList:
    """The contracts that the request selects."""
    rows = view.list_contracts(reading.connection, request.states or LIVING)
    return ContractList(contracts=[_entry(row, _body(row)) for row in rows])


def show(reading: Reading, request: ShowContract) -> ContractDetail:
    """One contract; raises NotFound."""
    row = _one(reading, request)
    body = _body(row)
    return ContractDetail(
        contract=_entry(row, body),
        state_version=version_of(row["digest"], ContractState(row["state"])),
        hash=row["hash"],
        digest=row["digest"],
        decision_reason=row["decision_reason"],
        fields=[
            ContractField(
                name=column.name,
                type=column.type,
                nullable=column.nullable,
                format=column.format,
                sensitivity=column.sensitivity,
                original=column.original,
                note=note_with_file(reading.connection, column),
            )
            for column in body.columns
        ],
        evidence=json.loads(row["evidence"]),
    )


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
        raise NotFound(f"there is no contract for a table {named!r}", fix="casparian contract list")
    if request.version is not None:
        rows = [row for row in rows if row["version"] == request.version]
        if not rows:
            raise NotFound(f"the contract of {named} has no version {request.version}", fix="casparian contract list")
    return next((row for row in rows if row["state"] == ContractState.APPLIED), rows[0])


def _body(row: RowMapping) -> Contract:
    try:
        return msgspec.json.decode(row["body"], type=Contract)
    except msgspec.DecodeError as exc:
        raise VerificationFailed(
            f"contract {row['id']} cannot be read back", why=str(exc), fix="casparian doctor"
        ) from exc


def note_with_file(connection: Connection, column: ContractColumn) -> str:
    """The column's note, with a file that has those bytes in place of the hash at its end.

    Of several, one that is there comes before one that is gone, one that still has them before one that has changed,
    and then the smallest name. Of a column that is personal or secret no value is told.
    """
    if column.sensitivity in _UNTOLD:
        return without_value(column.note)
    words, _, hashed = column.note.rpartition(" ")
    if not _HASH_IN_NOTE.fullmatch(hashed):
        return column.note
    found = lineage.hashes_with_prefix(connection, hashed.removeprefix(PREFIX))
    places = [place for each in found for place in lineage.places_of(connection, each)]
    if not places:
        return column.note
    *_, name = min(
        (place["is_missing"], not place["is_current"], f"{place['source']}/{place['path']}") for place in places
    )
    return f"{words} {name}"


def _entry(row: RowMapping, body: Contract) -> ContractEntry:
    return ContractEntry(
        id=row["id"],
        table=row["table_name"],
        version=row["version"],
        state=row["state"],
        origin=_origin(row),
        columns=len(body.columns),
        proposed=rfc3339(row["proposed_at_ns"]),
        proposed_by=row["proposed_by"],
        decided=None if row["decided_at_ns"] is None else rfc3339(row["decided_at_ns"]),
        decided_by=row["decided_by"],
    )


def _origin(row: RowMapping) -> str:
    """How the contract came to be; one that a person has yet to approve is a draft, whatever it may become."""
    is_held = row["decided_at_ns"] is None and row["state"] in (ContractState.DRAFT, ContractState.PROPOSED)
    return DRAFTED if is_held and row["origin"] == Origin.ADOPTED else str(row["origin"])


def approve(acting: Acting, request: ApproveContract) -> Approved:
    """Put a proposed contract in force in the name of the person who asks; the next run reads its files again.

    Raises NotFound, VersionChanged if it is not what the asker saw, or UsageError if it is not proposed.
    """
    with acting.database.transaction() as connection:
        seen = contract_store.describe(connection, request.contract)
        now = version_of(seen.digest, ContractState(seen.state))
        if request.if_version not in (None, now):
            raise VersionChanged(
                f"contract {request.contract} is not in the state that you saw", why=f"{request.if_version}, now {now}"
            )
        approved = contract_store.approve(connection, request.contract, acting.actor, request.reason, acting.clock())
        row = contract_store.describe(connection, request.contract)
    return Approved(
        contract=request.contract,
        table=approved.table,
        version=approved.version,
        digest=row.digest,
        decided_by=acting.actor,
    )
