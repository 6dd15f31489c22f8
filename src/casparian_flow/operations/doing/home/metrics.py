"""How what `operations.home.metrics` names is done."""

from __future__ import annotations

from casparian_flow.core.workers import WorkerState
from casparian_flow.operations.context import Reading
from casparian_flow.operations.home.metrics import AskMetrics, MetricsReply
from casparian_flow.store.views import metrics as view
from casparian_flow.store.views import quarantine as quarantine_view
from casparian_flow.store.views import totals


def measure(reading: Reading, _request: AskMetrics) -> MetricsReply:
    """The numbers as they are now."""
    connection = reading.connection
    oldest = view.oldest_queued_ns(connection)
    attempts, failures = view.count_attempts(connection)
    workers = view.count_workers(connection)
    return MetricsReply(
        jobs={state.value: count for state, count in totals.count_jobs(connection).items()},
        queue_seconds=0.0 if oldest is None else max(reading.now_ns - oldest, 0) / 1e9,
        attempts=attempts,
        failures=failures,
        paused_parsers=view.count_paused(connection),
        workers={state.value: workers.get(state, (0, 0))[0] for state in WorkerState},
        slots=workers.get(WorkerState.PRESENT, (0, 0))[1],
        quarantined_rows=quarantine_view.open_rows(connection),
        database_bytes=view.database_bytes(connection),
    )
