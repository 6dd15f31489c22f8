"""How what `operations.home.status` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.core.files import FileState
from casparian_flow.core.jobs import FINAL_STATES
from casparian_flow.core.presence import Presence, decode
from casparian_flow.core.proposals import State
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.run.next_run import RUN, next_run
from casparian_flow.operations.doing.service.workers import UNHEARD_NS
from casparian_flow.operations.home import machine
from casparian_flow.operations.home.disk import disk_use
from casparian_flow.operations.home.status import (
    AskStatus,
    OpenQuarantine,
    SentinelStatus,
    SourceStatus,
    Status,
    TableStatus,
)
from casparian_flow.settings import Home
from casparian_flow.store.views import quarantine as quarantine_view
from casparian_flow.store.views import sources as source_view
from casparian_flow.store.views import totals
from casparian_flow.store.views import workers as worker_view
from casparian_flow.store.views.files import count_by_state
from casparian_flow.store.views.jobs import count_dead_letters
from casparian_flow.store.views.parsers import count_paused


def status(reading: Reading, _request: AskStatus) -> Status:
    """The home as it is now."""
    connection = reading.connection
    files = count_by_state(connection)
    quarantined = quarantine_view.count_open(connection)
    proposed = totals.count_proposed(connection)
    proposals = totals.count_proposals(connection)
    by_state = totals.count_jobs(connection)
    holder = machine.lock_holder(reading.home.lock)
    left = None if holder else _presence(reading.home)
    killed = None if left is None else left.pid
    unfinished = sum(count for state, count in by_state.items() if state not in FINAL_STATES)
    interrupted = 0 if holder else unfinished
    replays = totals.count_replays(connection)
    to_read = files[FileState.NEW] + files[FileState.CHANGED] + (0 if holder else unfinished + replays)
    dead, paused = count_dead_letters(connection), count_paused(connection)
    unheard_since = reading.now_ns - UNHEARD_NS
    return Status(
        home=str(reading.home.path),
        holder=holder,
        sentinel=None if holder is None else _sentinel(reading.home, holder),
        killed_sentinel=killed,
        interrupted=interrupted,
        replays=replays,
        sources=[
            SourceStatus(
                id=row["id"],
                root=row["root"],
                entries=row["entries"],
                scanned=None if row["scanned_at_ns"] is None else rfc3339(row["scanned_at_ns"]),
            )
            for row in source_view.list_sources(connection)
        ],
        files={state.value: count for state, count in files.items()},
        jobs={state.value: count for state, count in by_state.items()},
        tables=[TableStatus(**row) for row in totals.list_tables(connection)],
        quarantine=OpenQuarantine(
            rows=quarantined[0], files=quarantined[1], waived=quarantine_view.count_waived(connection)
        ),
        gave_up=totals.count_gave_up(connection),
        dead_letters=dead,
        paused_parsers=paused,
        # Without a service nobody listens: no worker is there, and none is missed.
        workers=worker_view.count_heard(connection, unheard_since) if holder else 0,
        workers_lost=worker_view.count_unheard(connection, unheard_since) if holder else 0,
        contracts_without_review=totals.count_without_review(connection),
        contracts_proposed=proposed,
        approvals=proposals[State.PROPOSED],
        drafts=proposals[State.DRAFT],
        disk=sum(disk_use(reading.home.path).values()),
        next=_next(
            files,
            run=next_run(connection, reading) if to_read else RUN,
            to_read=to_read,
            is_killed=killed is not None,
            quarantined=quarantined[0],
            proposed=proposed,
            approvals=max(0, proposals[State.PROPOSED] - proposed),  # contracts have a list of their own
            dead=dead,
            paused=paused,
        ),
    )


def _sentinel(home: Home, holder: str) -> SentinelStatus | None:
    """The sentinel, if it is one that holds the home; what a killed one left says nothing about this holder."""
    presence = _presence(home)
    if presence is None or not holder.startswith(f"process {presence.pid}:"):
        return None
    return SentinelStatus(
        pid=presence.pid,
        started=presence.started,
        product=presence.product,
        api=presence.api,
        listens=list(presence.workers),
    )


def _presence(home: Home) -> Presence | None:
    """What a sentinel said about itself, which a killed one leaves behind."""
    try:
        return decode(home.sentinel.read_bytes(), str(home.sentinel))
    except (OSError, VerificationFailed):
        return None


def _next(
    files: dict[FileState, int],
    *,
    run: str,
    to_read: int,
    is_killed: bool,
    quarantined: int,
    proposed: int,
    approvals: int,
    dead: int,
    paused: int,
) -> list[str]:
    if not any(files.values()):
        return ["casparian run DIR", "casparian demo"]
    useful = {
        "casparian start": is_killed,
        "casparian contract list --state proposed": proposed,
        "casparian approval list": approvals,
        run: to_read,
        "casparian parser list": paused,
        "casparian jobs --dead": dead,
        "casparian files --state failed": files[FileState.FAILED],
        "casparian quarantine list": quarantined,
    }
    return [command for command, count in useful.items() if count] or ["casparian tables"]
