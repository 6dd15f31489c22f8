"""Rows are to be erased for good: they leave what is shown at once, and tombstones say what is to be erased."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection

from casparian_flow.core.hashing import canonical_json
from casparian_flow.core.proposal_bodies import Selected, Selection, selection_digest
from casparian_flow.core.proposals import label
from casparian_flow.core.tombstones import TombstoneAction
from casparian_flow.sentinel.commit.commits import take_out
from casparian_flow.sentinel.governance.effects import Change, Effect, Effected
from casparian_flow.store import outputs as output_store
from casparian_flow.store.causes import kept_of
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.governed import bury, trim
from casparian_flow.store.tombstones import jobs_of_bytes, lost_files, outputs_of_bytes

Place = tuple[str, str, str]
"""Bytes, a table, a sink."""


def _base(connection: Connection, change: Change) -> str:
    """The files that are still gone, or the rejected rows that are still there: any other makes it another purge."""
    body = _body(change)
    if body.entries:
        return selection_digest(each.entry for each in kept_of(connection, body.entries))
    lost = {row.source_hash for row in lost_files(connection)}
    return selection_digest((), lost & set(body.sources))


def _purge(connection: Connection, change: Change) -> Effected:
    """What is to be erased is not shown from now on; it goes by `sentinel.erasing`, after this transaction."""
    body = _body(change)
    if body.entries:
        _purge_rejects(connection, change, body.entries)
    else:
        _purge_files(connection, change, body.sources)
    return Effected()


def _purge_files(connection: Connection, change: Change, hashes: Collection[str]) -> None:
    rows = outputs_of_bytes(connection, hashes)
    take_out(connection, [row for row in rows if row.is_current], change.ground.now_ns)
    counts: dict[Place, int] = defaultdict(int)
    for row in rows:
        counts[_place(row)] += row.accepted + row.quarantined
    behind = _jobs(rows)
    stones = [
        _stone(change, TombstoneAction.PURGED, place, counts[place], {"jobs": sorted(behind[place])})
        for place in sorted(behind)
    ]
    bury(connection, stones, sorted(jobs_of_bytes(connection, hashes)), change.proposal)


def _purge_rejects(connection: Connection, change: Change, entries: Collection[Selected]) -> None:
    """Of the jobs whose rows are shown, the rows of the entries; all that earlier readings of the bytes rejected.

    Nobody can tell under which cause an earlier reading rejected the same rows, and no table shows them any more.
    """
    kept = kept_of(connection, entries)
    counts: dict[tuple[int, str], int] = defaultdict(int)
    for each in kept:
        counts[each.entry.job, each.table] += each.rows
    tables = {each.table for each in kept}
    rows = [
        row for row in outputs_of_bytes(connection, {each.source_hash for each in kept}) if row.table_name in tables
    ]
    shown = _jobs(row for row in rows if row.is_current and (row.job_id, row.table_name) in counts)
    earlier = _jobs(row for row in rows if not row.is_current and (row.quarantined or row.purged))
    causes: dict[int, set[str]] = defaultdict(set)
    for each in kept:
        causes[each.entry.job].add(each.entry.cause)
    stones = [
        _stone(
            change,
            TombstoneAction.TRIMMED,
            place,
            max((counts[job, place[1]] for job in shown.get(place, ())), default=0),
            {
                "jobs": sorted(earlier.get(place, ())),
                "trimmed": {str(job): sorted(causes[job]) for job in sorted(shown.get(place, ()))},
            },
        )
        for place in sorted(shown.keys() | earlier.keys())
    ]
    trim(connection, stones, [each.entry for each in kept], change.proposal)
    for (job, table), count in sorted(counts.items()):
        output_store.count_purged(connection, job, table, count)


def _stone(
    change: Change, action: TombstoneAction, place: Place, rows: int, receipt: Mapping[str, object]
) -> dict[str, object]:
    source_hash, table, sink = place
    said = {
        "is_erased": False,
        "proposal": label(change.kind, change.proposal),
        "digest": change.ground.digest,
        **receipt,
    }
    return {
        "source_hash": source_hash,
        "location_id": None,
        "table_name": table,
        "sink_uri": sink,
        "rows": rows,
        "action": action,
        "files": "[]",
        "actor": change.ground.decided_by,
        "proposal_id": change.proposal,
        "at_ns": change.ground.now_ns,
        "receipt": canonical_json(said),
    }


def _jobs(rows: Iterable[AnyRow]) -> dict[Place, set[int]]:
    found: dict[Place, set[int]] = defaultdict(set)
    for row in rows:
        found[_place(row)].add(row.job_id)
    return found


def _place(row: AnyRow) -> Place:
    return (row.source_hash, row.table_name, row.sink_uri)


def _body(change: Change) -> Selection:
    assert isinstance(change.body, Selection)  # as of every proposal of that kind
    return change.body


PURGED = Effect(_base, _purge)
