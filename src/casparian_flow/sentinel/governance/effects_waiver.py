"""Rejected rows are given up: their entries close, the rows stay where they are."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.proposal_bodies import Selected, Selection, selection_digest
from casparian_flow.sentinel.governance.effects import Change, Effect, Effected
from casparian_flow.store.causes import waiting_of
from casparian_flow.store.governed import waive


def _base(connection: Connection, change: Change) -> str:
    """Those of the entries that still wait: one that was read again since makes it another waiver."""
    return selection_digest(waiting_of(connection, _entries(change)))


def _waive(connection: Connection, change: Change) -> Effected:
    waive(connection, _entries(change))
    return Effected()


def _entries(change: Change) -> tuple[Selected, ...]:
    assert isinstance(change.body, Selection)  # as of every proposal of that kind
    return change.body.entries


WAIVED = Effect(_base, _waive)
