"""What became of replays: those on their way are taken to their end, and each can be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.proposals import Kind, label
from casparian_flow.core.replays import ReplayKind, ReplayOutcome, ReplayStage
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.rehearsal.replay_stopped import stopped_of, why_strange
from casparian_flow.operations.rehearsal.replay import (
    FileOfReplay,
    LeftOut,
    ListReplays,
    ReplayDetail,
    ReplayEntry,
    ReplayList,
    ReplayReply,
    ShowReplay,
    TableBefore,
)
from casparian_flow.sentinel.planning import replaying
from casparian_flow.store import replays as replay_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.replays import Expected
from casparian_flow.store.views import replays as view

WORKERS = 1
"""Slots that a home without a service starts: the canary is one file as a rule."""
MOST_FILES = 1000
"""Files of a replay that are shown."""


def go_on(acting: Acting) -> list[ReplayReply]:
    """Take every replay to its end that a process left on its way; what became of them."""
    with acting.database.transaction() as connection:
        left = [row.id for row in replay_store.on_the_way(connection)]
        plans = replaying.resume(connection, acting.clock())
    for each in plans:
        acting.execution.submit(each, WORKERS)
        acting.execution.wait(each, acting.report)
    return [reply_of(acting, each) for each in left]


def reply_of(
    acting: Acting, replay: int, *, unchanged: int = 0, left_out: Sequence[LeftOut] = (), reopens: int = 0
) -> ReplayReply:
    """What became of a replay, as it is recorded, and of its rows; not inside a transaction."""
    # Every run asks for replays that were broken off, and hardly ever there are any.
    from casparian_flow.operations.doing.rehearsal.replayed_rows import became, replayed_rows  # noqa: PLC0415

    with acting.database.transaction() as connection:
        row = view.one_replay(connection, replay)
        assert row is not None
        came_out = [file for file in replay_store.files_of(connection, replay) if _came_out(file)]
        rows = replayed_rows(connection, replay, [file for file in came_out if file.new_job is not None])
        before = _before(connection, replay)
        stopped = stopped_of(connection, acting, row)
    found = became(acting, rows)
    return ReplayReply(
        replay=_entry(row),
        released=found.released,
        still_failing=found.still,
        newly_rejected=found.newly,
        accepted_lost=found.lost,
        unchanged=unchanged,
        left_out=list(left_out),
        reopens=reopens,
        before=before,
        stopped=stopped,
    )


def list_(reading: Reading, request: ListReplays) -> ReplayList:
    """The newest replays."""
    return ReplayList(replays=[_entry(row) for row in view.list_replays(reading.connection)])


def show(reading: Reading, request: ShowReplay) -> ReplayDetail:
    """One replay and the first thousand of its files; raises NotFound and UsageError."""
    row = view.one_replay(reading.connection, _number(request.replay))
    if row is None:
        raise NotFound(f"there is no replay {request.replay}", fix="casparian replay list")
    files = replay_store.files_of(reading.connection, row["id"])[:MOST_FILES]
    jobs = [job for file in files for job in (file.old_job, file.new_job) if job is not None]
    brought = replay_store.brought(reading.connection, jobs)
    return ReplayDetail(
        replay=_entry(row),
        files=[_file(file, brought) for file in files],
        before=_before(reading.connection, row["id"]),
        stopped=stopped_of(reading.connection, reading, row),
    )


def _entry(row: RowMapping) -> ReplayEntry:
    return ReplayEntry(
        replay=str(row["id"]),
        kind=ReplayKind(row["kind"]),
        stage=ReplayStage(row["stage"]),
        causes=json.loads(row["causes"]),
        options=json.loads(row["config"] or "{}"),
        files=row["files"],
        done=row["done"],
        failed=row["failed"],
        differs=row["differs"],
        skipped=row["skipped"],
        asked_by=row["asked_by"],
        reason=row["reason"],
        made=rfc3339(row["made_at_ns"]),
        ended=None if row["ended_at_ns"] is None else rfc3339(row["ended_at_ns"]),
        stop_reason=row["stop_reason"],
        proposal=None if row["proposal_id"] is None else label(Kind(row["proposal_kind"]), row["proposal_id"]),
    )


def _file(file: AnyRow, brought: Mapping[int, Mapping[str, Expected]]) -> FileOfReplay:
    had = brought.get(file.old_job, {}).values()
    has = brought.get(file.new_job, {}).values()
    is_read = _came_out(file) or file.new_job in brought
    return FileOfReplay(
        path=file.path,
        is_canary=file.is_canary,
        old_job=str(file.old_job),
        new_job=None if file.new_job is None else str(file.new_job),
        outcome=None if file.outcome is None else ReplayOutcome(file.outcome),
        accepted_before=sum(each.accepted for each in had),
        accepted=sum(each.accepted for each in has) if is_read else None,
        quarantined_before=sum(each.quarantined for each in had),
        quarantined=sum(each.quarantined for each in has) if is_read else None,
        size=file.size,
        bytes_read=file.bytes_read if is_read else None,
        carried=file.carried,
        message=why_strange(file, brought) if file.outcome == ReplayOutcome.DIFFERS else file.error_message or "",
    )


def _came_out(file: AnyRow) -> bool:
    return file.outcome in (ReplayOutcome.DONE, ReplayOutcome.DIFFERS)


def _before(connection: Connection, replay: int) -> list[TableBefore]:
    return [
        TableBefore(table=row.table_name, sink=row.sink_uri, snapshot=row.snapshot)
        for row in view.snapshots_before(connection, replay)
    ]


def _number(named: str) -> int:
    digits = named.upper().removeprefix("R-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
        raise UsageError(
            f"{named!r} is not a replay", why="a replay is named by its number", fix="casparian replay list"
        )
    return int(digits)
