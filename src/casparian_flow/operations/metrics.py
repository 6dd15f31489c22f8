"""Metrics: the home in numbers, for what watches a service."""

from __future__ import annotations

from casparian_flow.core.workers import WorkerState
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.store.views import metrics as view
from casparian_flow.store.views import totals


class AskMetrics(Request, frozen=True, kw_only=True):
    """The whole home."""


class MetricsReply(Reply, frozen=True, kw_only=True):
    """One home in numbers. `queue_seconds` is how long the oldest queued job waits; `slots` are those of present workers."""

    jobs: dict[str, int]
    queue_seconds: float
    attempts: int
    failures: int
    paused_parsers: int
    workers: dict[str, int]
    slots: int
    quarantined_rows: int
    database_bytes: int


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
        quarantined_rows=totals.open_quarantine(connection)[0],
        database_bytes=view.database_bytes(connection),
    )


OPERATIONS = (Operation("metrics", AskMetrics, MetricsReply, Effect.READ, measure, "The home in numbers."),)
