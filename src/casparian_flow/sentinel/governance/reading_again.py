"""Queues the files that a change touches, with the change that promised it, but for those that a person took back."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.proposal_bodies import Selected, selection_digest
from casparian_flow.core.replays import ReplayKind
from casparian_flow.sentinel.governance.effects import Change, Effected
from casparian_flow.sentinel.planning.replaying import Files, begin
from casparian_flow.sentinel.planning.undone_files import undone_files
from casparian_flow.store.causes import make_ready_of
from casparian_flow.store.replays import NewReplay, causes_of, set_back


def read_again(connection: Connection, change: Change, table: str, files: Files) -> Effected:
    """Queue the first of the files that a change of a contract touches; see `begin_promised`."""
    if not files:
        return Effected()
    make_ready_of(connection, files, table)
    replay = NewReplay(
        kind=ReplayKind.AMENDMENT,
        causes=causes_of(connection, files, table),
        asked_by=change.ground.decided_by,
        reason=change.ground.reason,
        selection_digest=selection_digest(Selected(job=job, cause="") for job in files),
        proposal=change.proposal,
    )
    return begin_promised(connection, replay, files, change.ground.now_ns)


def begin_promised(connection: Connection, replay: NewReplay, files: Files, now_ns: int) -> Effected:
    """Begin a replay that a proposal promised: the run that reads its first files, and the files that are left out.

    No run if no file can be read: their rejected rows go on waiting.
    """
    undone = undone_files(connection, files)
    plan = begin(connection, replay, files, now_ns)
    if plan is None:
        set_back(connection, files)
    return Effected(
        plans=() if plan is None else (plan,),
        unread=len(files) - len(undone) if plan is None else 0,
        undone=tuple(undone[job] for job in sorted(undone)),
    )
