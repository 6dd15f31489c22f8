"""What is noted of a source or a rule beside its row: facts in `cf_meta`, one key for each."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, String, bindparam, cast, delete, literal, select

from casparian_flow.store.meta import set_meta_value
from casparian_flow.store.tables import meta


class Note(StrEnum):
    """What is noted; the number of the row follows it in the key."""

    SOURCE_NAME = "source.name."
    SOURCE_REMOVED = "source.removed_at_ns."
    SOURCE_EMPTIED = "source.emptied_by_scan."
    SOURCE_MOUNTS = "source.mounts."
    RULE_SIZE = "rule.size."


SOURCE_IN_USE = "source.in_use"
"""The source that commands without a path are about, where a person chose one."""
FORGET = delete(meta).where(meta.c.key == bindparam("name"))


def noted(note: Note, number: ColumnElement[int]) -> ColumnElement[str]:
    """The note on the row with that number as a column of a statement; null where there is none."""
    key = literal(note.value) + cast(number, String)
    return select(meta.c.value).where(meta.c.key == key).correlate_except(meta).scalar_subquery()


def set_note(connection: Connection, note: Note, number: int, value: str | None) -> None:
    """Note a value in place of the one before; None takes the note away."""
    set_fact(connection, f"{note}{number}", value)


def set_fact(connection: Connection, key: str, value: str | None) -> None:
    """Remember a fact, or forget it."""
    if value is None:
        connection.execute(FORGET, {"name": key})
    else:
        set_meta_value(connection, key, value)
