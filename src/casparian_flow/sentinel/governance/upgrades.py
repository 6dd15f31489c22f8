"""Which rejected rows a version of a parser reads again as soon as it may run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.proposal_bodies import Selected
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.store import replays as replay_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.views import upgrades as view


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """The rejected rows that wait and that a version of a parser has not seen yet.

    `jobs` read the files that are there, those with most of the rows first; the others are `gone`. Files without such
    rows are not among them: the next run reads those, or a backtest moves them as they are.
    """

    jobs: tuple[int, ...]
    entries: tuple[Selected, ...]
    tables: tuple[str, ...]
    bytes: int
    gone: int


def upgrade_of(connection: Connection, parser: int) -> Upgrade:
    """What letting this artifact of a parser run is to release."""
    rows = _that_it_reads(connection, parser, view.waiting_for(connection, parser))
    carried = replay_store.carriers(connection, {row.job_id for row in rows})
    newest = {row.source_hash: row for row in rows if row.job_id in carried}
    rejected = dict.fromkeys((row.job_id for row in newest.values()), 0)
    for row in rows:
        if row.job_id in rejected:
            rejected[row.job_id] += row.rows
    read = [row for row in rows if row.source_hash in newest]
    return Upgrade(
        jobs=tuple(sorted(rejected, key=lambda job: (-rejected[job], job))),
        entries=tuple(Selected(job=row.job_id, cause=row.reference) for row in read),
        tables=tuple(sorted({row.table_name for row in read})),
        bytes=sum(row.size for row in newest.values()),
        gone=len({row.source_hash for row in rows} - newest.keys()),
    )


def _that_it_reads(connection: Connection, parser: int, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Those of files that it is still given: not of those that it does not subscribe to any more."""
    subscribed = {
        number: frozenset(load_registered(connection, number).manifest.subscriptions)
        for number in {parser, *(row.parser_id for row in rows)}
    }
    left = frozenset().union(*subscribed.values()) - subscribed[parser]
    if not left:
        return list(rows)
    locations = {row.location_id for row in rows}
    given = view.tagged(connection, locations, subscribed[parser])
    not_given = view.tagged(connection, locations, left) - given
    return [row for row in rows if row.location_id not in not_given]
