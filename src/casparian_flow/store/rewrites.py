"""Which tables are being rewritten now, and by which numbers their new files are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from casparian_flow.store.meta import meta_value, set_meta_value

BEGUN = "rewrites_begun"
OPEN = "open_rewrites"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRewrite:
    """So many new files of a table, numbered from `first`, that no commit names."""

    sink: str
    table: str
    first: int
    count: int

    @property
    def numbers(self) -> range:
        """The numbers in the names of its files."""
        return range(self.first, self.first + self.count)


def open_rewrites(connection: Connection) -> list[OpenRewrite]:
    """All of them; after a start each is one that a crash broke off."""
    return [OpenRewrite(**fields) for fields in json.loads(meta_value(connection, OPEN) or "[]")]


def begin(connection: Connection, sink: str, table: str, count: int) -> OpenRewrite:
    """Note, before anything is written, that a table is rewritten; its numbers are never given out again."""
    first = int(meta_value(connection, BEGUN) or 0) + 1
    begun = OpenRewrite(sink=sink, table=table, first=first, count=count)
    set_meta_value(connection, BEGUN, str(first + count - 1))
    _set_open(connection, [*open_rewrites(connection), begun])
    return begun


def end(connection: Connection, ended: OpenRewrite) -> None:
    """Its files are permitted, or gone; allowed twice."""
    _set_open(connection, [each for each in open_rewrites(connection) if each != ended])


def _set_open(connection: Connection, rewrites: Sequence[OpenRewrite]) -> None:
    set_meta_value(connection, OPEN, json.dumps([asdict(each) for each in rewrites]))
