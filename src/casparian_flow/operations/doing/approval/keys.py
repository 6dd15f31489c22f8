"""How what `operations.approval.keys` names is done."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.errors import KeyMissing, ProposalVoid
from casparian_flow.core.signing import key_id
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.approval.keys import AddKey, FirstDecision, KeyEntry, KeyList, ListKeys, RevokeKey
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.approval.proposal_view import number
from casparian_flow.sentinel.governance.applying import void_if_moved
from casparian_flow.sentinel.governance.deciding import check_decidable
from casparian_flow.store import keys as store
from casparian_flow.store.engine import AnyRow


def list_(reading: Reading, _request: ListKeys) -> KeyList:
    """Every key, as the home knows it."""
    return KeyList(keys=[_entry(row) for row in store.every_key(reading.connection)])


def add(acting: Acting, request: AddKey) -> KeyEntry:
    """Enrol a key; doing it again changes nothing. Raises UsageError for a key of somebody else or a revoked one.

    Of the first key it raises KeyMissing where another one was faster, and what its decision would raise.
    """
    actor = request.actor or acting.actor
    try:
        with acting.database.transaction() as connection:
            if request.first is not None:
                _check_first(connection, key_id(request.public), request.first, acting.clock())
            name = store.enrol(connection, request.public, actor=actor, added_by=acting.actor, now_ns=acting.clock())
            return _named(connection, name)
    except ProposalVoid:
        assert request.first is not None
        with acting.database.transaction() as connection:
            void_if_moved(connection, number(connection, request.first.proposal), acting.clock())
        raise


def revoke(acting: Acting, request: RevokeKey) -> KeyEntry:
    """Put a key out of force: nothing that it signed and that is not applied yet counts any more. Raises NotFound."""
    with acting.database.transaction() as connection:
        store.revoke(connection, request.key, acting.clock())
        return _named(connection, request.key)


def _check_first(connection: Connection, key: str, first: FirstDecision, now_ns: int) -> None:
    living = {each.key_id for each in store.living_keys(connection)}
    if key in living:
        return  # the same person asked twice at once, and the other one was faster
    if living:
        raise KeyMissing("this home has approvers, and your key is none of theirs")
    check_decidable(connection, number(connection, first.proposal), first.decision, first.reason, now_ns)


def _named(connection: Connection, name: str) -> KeyEntry:
    row = store.key(connection, name)
    assert row is not None
    return _entry(row)


def _entry(row: AnyRow) -> KeyEntry:
    return KeyEntry(
        key=row.key_id,
        actor=row.actor,
        is_in_force=row.revoked_at_ns is None,
        added=rfc3339(row.added_at_ns),
        added_by=row.added_by,
        revoked=None if row.revoked_at_ns is None else rfc3339(row.revoked_at_ns),
    )
