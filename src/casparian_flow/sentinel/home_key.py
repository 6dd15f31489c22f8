"""The key under which a home replaces values, as its database knows it."""

from __future__ import annotations

from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.settings import Home
from casparian_flow.store.database import Database
from casparian_flow.store.key_mark import KeyMark


def home_key(home: Home, database: Database) -> PseudonymKey:
    """The key of a home; another one in its place is refused when it is needed."""
    return PseudonymKey(home.pseudonym_key, KeyMark(database))
