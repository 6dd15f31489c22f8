"""Which files a scan reads, where that is not every one that changed."""

from __future__ import annotations

from collections.abc import Iterator

from casparian_flow.scout.chosen import Chosen
from casparian_flow.store import versions as stored
from casparian_flow.store.database import Database
from casparian_flow.store.versions import Readable

PAGE = 10_000


def covered_files(database: Database, source: int, chosen: Chosen) -> list[Readable]:
    """The known, present files of a source that the scan is about."""
    found = [file for file in _readable(database, source) if chosen.covers(file[1], file[2])]
    database.connection.rollback()
    return found


def read_again(database: Database, files: list[Readable]) -> None:
    """Have these files hashed at the next pass, although nothing says that they changed."""
    with database.transaction():
        stored.mark_dirty(database.driver, [file[0] for file in files])


def _readable(database: Database, source: int) -> Iterator[Readable]:
    after = 0
    while page := stored.readable_after(database.driver, source, after, PAGE):
        after = page[-1][0]
        yield from page
