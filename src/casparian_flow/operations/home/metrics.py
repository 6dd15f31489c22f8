"""Metrics: the home in numbers, for what watches a service."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class AskMetrics(Request, frozen=True, kw_only=True):
    """The whole home."""


class MetricsReply(Reply, frozen=True, kw_only=True):
    """One home in numbers: how long the oldest queued job waits, and the slots of the workers that are present."""

    jobs: dict[str, int]
    queue_seconds: float
    attempts: int
    failures: int
    paused_parsers: int
    workers: dict[str, int]
    slots: int
    quarantined_rows: int
    database_bytes: int


OPERATIONS = (
    Operation("metrics", AskMetrics, MetricsReply, Effect.READ, "home.metrics.measure", "The home in numbers."),
)
