"""How what `operations.service.sentinel` names is done."""

from __future__ import annotations

import os

from casparian_flow.core.errors import UsageError
from casparian_flow.core.jobs import HELD_STATES
from casparian_flow.operations.context import Acting
from casparian_flow.operations.service.sentinel import SentinelStopping, StopSentinel
from casparian_flow.store.views import totals


def stop(acting: Acting, request: StopSentinel) -> SentinelStopping:
    """Leave word; the process ends after this was answered."""
    if request.seconds is not None and not request.drain:
        raise UsageError("only a sentinel that drains has a time for it", fix="--drain")
    with acting.database.transaction() as connection:
        counts = totals.count_jobs(connection)
    held = sum(count for state, count in counts.items() if state in HELD_STATES)
    acting.execution.stop(drain=request.drain, seconds=request.seconds)
    return SentinelStopping(pid=os.getpid(), drain=request.drain, held=held)
