"""How what `operations.output.compact` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import PlanStale
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.output.lost_commits import refuse_lost_commits
from casparian_flow.operations.doing.output.placement import sink_of
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.output.compact import Compacted, CompactionPlan, CompactOutput, Merging, PlanCompaction
from casparian_flow.sentinel.commit.rolling import roll_forward
from casparian_flow.sentinel.history.compaction import (
    Compaction,
    begin,
    carry_out,
    file_sink,
    give_up,
    permit_compaction,
    plan_compaction,
)
from casparian_flow.sentinel.history.timeline import Replay
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.uri import open_sink

TRIES = 3
"""How often a compaction begins anew because its table moved in a way that it cannot follow."""


def plan(reading: Reading, request: PlanCompaction) -> CompactionPlan:
    """Which files would be merged; raises NotFound, and UsageError for a table in a database."""
    sink = sink_of(reading.connection, reading.home, reading.cwd, request.table, request.sink)
    file_sink(open_sink(sink), request.table)
    return _plan(plan_compaction(reading.connection, sink, request.table))


def compact(acting: Acting, request: CompactOutput) -> Compacted:
    """Merge them, by one more commit; nothing is done if no files are worth it.

    Runs go on meanwhile. Raises TableBusy while another compaction of the table is under way, VerificationFailed for
    files that are not as they were sealed, and PlanStale if the table was turned over each time it was tried.
    """
    for last_try in (False,) * (TRIES - 1) + (True,):
        compaction, sink = _look(acting, request)
        before = _plan(compaction)
        try:
            made = _compact(acting, compaction, sink) if compaction.merges else None
        except PlanStale:
            if last_try:
                raise
        else:
            files, size = _files(compaction.past)
            return Compacted(plan=before, made=made, files=files, size=size)
    raise AssertionError("unreachable")


def _look(acting: Acting, request: CompactOutput) -> tuple[Compaction, FolderSink]:
    """What there is to merge, seen without a turn at the database: the past of a table may be long."""
    with open_reading(acting.home, acting.settings, acting.cwd) as reading:
        uri = sink_of(reading.connection, reading.home, reading.cwd, request.table, request.sink)
        sink = file_sink(acting.open_sink(uri), request.table)
        refuse_lost_commits(reading.connection, sink, request.table)
        return plan_compaction(reading.connection, uri, request.table), sink


def _compact(acting: Acting, compaction: Compaction, sink: FolderSink) -> int | None:
    with acting.database.transaction() as connection:
        begun = begin(connection, compaction)
    try:
        merged = carry_out(compaction, begun, sink)
        now = acting.clock()
        with acting.database.transaction() as connection:
            made = permit_compaction(connection, compaction, begun, merged, acting.actor, now)
    finally:  # what is permitted is not ours to remove any more
        give_up(acting.database, acting.open_sink, begun)
    rolled = roll_forward(acting.database, acting.open_sink, now, jobs=False)
    if trouble := rolled.troubles.get(compaction.sink):
        raise trouble
    return made


def _plan(compaction: Compaction) -> CompactionPlan:
    files, size = _files(compaction.past)
    return CompactionPlan(
        table=compaction.table,
        sink=compaction.sink,
        snapshot=compaction.past.snapshot,
        files=files,
        size=size,
        merges=[
            Merging(
                role=merge.role,
                contract=merge.version,
                files=len(merge.files),
                size=merge.size,
                rows=merge.rows,
                left_out=merge.superseded,
            )
            for merge in compaction.merges
        ],
    )


def _files(past: Replay) -> tuple[int, int]:
    files = [visible.file for state in past.states.values() for visible in state.files.values()]
    return len(files), sum(file.size for file in files)
