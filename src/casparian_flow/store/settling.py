"""Files that still grow: which of them wait, since when, and until when."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    null,
    or_,
    select,
    update,
)

from casparian_flow.store.bulk import Bulk
from casparian_flow.store.tables import locations

L = locations.c
TICK_NS = 20_000_000
"""File systems take the time of the kernel's last tick, which is a little behind."""
_companion = locations.alias("companion")
_moved_with = select(_companion.c.part_of).where(
    _companion.c.last_scan_id == bindparam("scan"),
    _companion.c.source_id == bindparam("source"),
    _companion.c.part_of.is_not(None),
)
_since = func.coalesce(L.growing_since_ns, bindparam("now"))
_latest = _since + bindparam("longest", type_=BigInteger)
_next: ColumnElement[int] = bindparam("now", type_=BigInteger) + bindparam("settle", type_=BigInteger)
_still = case((L.mtime_ns > L.ctime_ns, L.mtime_ns), else_=L.ctime_ns) + bindparam("settle", type_=BigInteger) + TICK_NS
_until = case((and_(bindparam("trusted") == 1, _still < _next, L.id.not_in(_moved_with)), _still), else_=_next)

HOLD_CHANGED = Bulk(
    update(locations)
    .where(L.source_id == bindparam("source"), L.is_dirty.is_(True))
    .where(or_(L.last_scan_id == bindparam("scan"), L.id.in_(_moved_with)))
    .values(growing_since_ns=_since, settles_at_ns=case((_latest < _until, _latest), else_=_until)),
    "source",
    "scan",
    "now",
    "settle",
    "longest",
    "trusted",
)
"""What a scan saw change waits, but no longer than `longest` in all; a database waits with what stands beside it."""
HOLD_AGAIN = Bulk(
    update(locations).where(L.id == bindparam("location")).values(settles_at_ns=bindparam("until")),
    "location",
    "until",
)
HOLD_NO_LONGER = Bulk(
    update(locations)
    .where(L.source_id == bindparam("source"), L.is_dirty.is_(True), L.settles_at_ns > bindparam("latest"))
    .values(settles_at_ns=bindparam("latest")),
    "source",
    "latest",
)
RELEASE = Bulk(
    update(locations)
    .where(L.id == bindparam("location"), L.settles_at_ns.is_not(None))
    .values(growing_since_ns=null(), settles_at_ns=null()),
    "location",
)
HELD = Bulk(
    select(L.rel_path, L.display, L.growing_since_ns, L.settles_at_ns)
    .where(L.source_id == bindparam("source"), L.is_dirty.is_(True), L.settles_at_ns.is_not(None))
    .where(L.kind == literal_column("'file'"), L.is_missing.is_(False), L.part_of.is_(None))
    .order_by(L.settles_at_ns, L.id)
    .limit(bindparam("most", type_=Integer)),
    "source",
    "most",
)


class Held(NamedTuple):
    """A file that waits until it holds still."""

    rel_path: bytes
    display: str
    growing_since_ns: int
    settles_at_ns: int


def hold_changed(
    driver: sqlite3.Connection,
    source: int,
    scan: int,
    *,
    now_ns: int,
    settle_ns: int,
    longest_ns: int,
    trusts_times: bool,
) -> None:
    """Let the files that this scan saw change wait until they have held still for `settle_ns`.

    That is counted from now, or with `trusts_times` from the file's own last change.
    """
    driver.execute(HOLD_CHANGED.text, (source, scan, now_ns, settle_ns, longest_ns, int(trusts_times)))


def hold_again(driver: sqlite3.Connection, locations: Iterable[int], until_ns: int) -> None:
    """Let files that changed while they were read wait once more."""
    driver.executemany(HOLD_AGAIN.text, [(location, until_ns) for location in locations])


def hold_no_longer(driver: sqlite3.Connection, source: int, latest_ns: int) -> None:
    """Let no file of a source wait for longer than until then."""
    driver.execute(HOLD_NO_LONGER.text, (source, latest_ns))


def release(driver: sqlite3.Connection, locations: Iterable[int]) -> None:
    """Let files wait no longer."""
    driver.executemany(RELEASE.text, [(location,) for location in locations])


def held(driver: sqlite3.Connection, source: int, *, most: int) -> list[Held]:
    """At most so many files of a source that wait, the soonest first."""
    return [Held._make(row) for row in driver.execute(HELD.text, (source, most))]
