"""By what a home knows the key of its pseudonyms again."""

from __future__ import annotations

from casparian_flow.store.database import Database
from casparian_flow.store.meta import meta_value, set_meta_value

MARK = "pseudonym_key.mark"


class KeyMark:
    """The mark of the key under which values were replaced; see `protocol.pseudonym_key.Mark`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self) -> str | None:
        """The mark, None before a key was needed."""
        with self._database.transaction() as connection:
            return meta_value(connection, MARK)

    def keep(self, mark: str) -> None:
        """From now on it is this one."""
        with self._database.transaction() as connection:
            set_meta_value(connection, MARK, mark)
