"""How what `operations.contract.contracts` names is done."""

from __future__ import annotations

import re

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.contract_text import verified
from casparian_flow.core.contracts import Contract, ContractColumn, ContractState, Origin
from casparian_flow.core.hashing import PREFIX, SHORT_HASH
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.contract.contracts import ContractEntry, ContractList, ListContracts
from casparian_flow.schema.notes import without_value
from casparian_flow.store.views import contracts as view
from casparian_flow.store.views import lineage

DRAFTED = "drafted"
_HASH_IN_NOTE = re.compile(rf"{PREFIX}[0-9a-f]{{{SHORT_HASH}}}")
_UNTOLD = ("personal", "secret")
LIVING = (ContractState.DRAFT, ContractState.PROPOSED, ContractState.APPROVED, ContractState.APPLIED)


def list_(reading: Reading, request: ListContracts) -> ContractList:
    """The contracts that the request selects."""
    rows = view.list_contracts(reading.connection, request.states or LIVING)
    return ContractList(contracts=[entry_of(row, body_of(row)) for row in rows])


def body_of(row: RowMapping) -> Contract:
    """What a contract says, from its row."""
    return verified(row["body"], row["hash"])


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


def entry_of(row: RowMapping, body: Contract) -> ContractEntry:
    """One line of the list."""
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
