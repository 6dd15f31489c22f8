"""How what `operations.source.watches` names is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from casparian_flow.core.errors import NotFound
from casparian_flow.core.files import display_path
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.source.watch_round import Rounds, timing_of
from casparian_flow.operations.source.watch import Watched
from casparian_flow.operations.source.watches import (
    AddWatch,
    GrowingPath,
    ListWatches,
    LookAgain,
    LookedAgain,
    OpenedWatch,
    OpenWatch,
    RemoveWatch,
    WatchEntry,
    WatchList,
    WatchRoot,
)
from casparian_flow.store import watches as stored
from casparian_flow.store.engine import AnyRow


def add(acting: Acting, request: AddWatch) -> WatchEntry:
    """Keep a watch; raises UsageError or NotFound for what cannot be watched."""
    rounds = Rounds(acting, request)
    timing = timing_of(acting, request)
    watched = Watched(
        scan=request.scan,
        run=request.run,
        settle_seconds=timing.settle,
        reconcile_seconds=timing.reconcile,
    )
    values = {
        "operation": rounds.operation,
        "request": msgspec.json.encode(watched).decode(),
        "cwd": os.fsencode(acting.cwd),
        "settle_seconds": timing.settle,
        "reconcile_seconds": timing.reconcile,
        "actor": acting.actor,
        "added_at_ns": acting.clock(),
    }
    with acting.database.transaction() as connection:
        watch = stored.add_watch(connection, values)
        row = stored.watch_by_id(connection, watch)
    assert row is not None
    return _entry(row)


def list_(reading: Reading, _request: ListWatches) -> WatchList:
    """Every watch."""
    return WatchList(watches=[_entry(row) for row in stored.all_watches(reading.connection)])


def remove(acting: Acting, request: RemoveWatch) -> WatchEntry:
    """Forget a watch; raises NotFound."""
    row = _row(acting, request.watch)
    with acting.database.transaction() as connection:
        stored.remove_watch(connection, request.watch)
    return _entry(row)


def open_(acting: Acting, request: OpenWatch) -> OpenedWatch:
    """The folders of a watch as they are found now; raises NotFound."""
    row = _row(acting, request.watch)
    roots = _rounds(acting, row).roots
    return OpenedWatch(
        roots=[WatchRoot(source=source, path=root.path, only=root.only) for source, root in roots.items()],
        settle_seconds=row.settle_seconds,
        reconcile_seconds=row.reconcile_seconds,
        is_hinted=acting.settings.watch.hints == "auto",
    )


def look(acting: Acting, request: LookAgain) -> LookedAgain:
    """Look at the parts and do what is to be done; raises NotFound."""

    def report(event: str, values: dict[str, object]) -> None:
        acting.report(event, {**values, "watch": request.watch} if event.startswith("watch.") else values)

    row = _row(acting, request.watch)
    rounds = _rounds(replace(acting, report=report), row, sources=request.sources, number=request.rounds)
    looked = rounds.look({part.source: part.paths for part in request.parts}, request.plans_anyway)
    return LookedAgain(
        growing=[
            GrowingPath(source=source, path=path, seconds=seconds)
            for source, paths in looked.waiting.items()
            for path, seconds in paths.items()
        ],
        took=dict(looked.took),
        is_unfinished=looked.is_unfinished,
        rounds=rounds.number,
    )


def _rounds(acting: Acting, row: AnyRow, *, sources: Sequence[int] = (), number: int = 0) -> Rounds:
    watched = msgspec.json.decode(row.request, type=Watched)
    return Rounds(replace(acting, cwd=Path(os.fsdecode(row.cwd))), watched, sources=sources, number=number)


def _row(acting: Acting, watch: int) -> AnyRow:
    with acting.database.transaction() as connection:
        row = stored.watch_by_id(connection, watch)
    if row is None:
        raise NotFound(f"there is no watch {watch}", fix="casparian watch list")
    return row


def _entry(row: AnyRow) -> WatchEntry:
    watched = msgspec.json.decode(row.request, type=Watched)
    paths = watched.run.selection.paths if watched.run else watched.scan.paths if watched.scan else ()
    return WatchEntry(
        watch=row.id,
        operation=row.operation,
        paths=list(paths),
        cwd=display_path(row.cwd),
        settle_seconds=row.settle_seconds,
        reconcile_seconds=row.reconcile_seconds,
        actor=row.actor,
        added=rfc3339(row.added_at_ns),
    )
