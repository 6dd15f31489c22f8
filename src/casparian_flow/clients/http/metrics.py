"""Counts requests and events, and writes all numbers in Prometheus' text format."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from casparian_flow.operations.home.metrics import MetricsReply

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Upper bounds of the latency histogram, in seconds."""
MOST_EVENT_NAMES = 200

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Family:
    """Numbers of one name: what they mean, and each with its labels."""

    name: str
    kind: str
    says: str
    values: Mapping[Labels, float]


@dataclass(slots=True)
class _Latency:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0


class Metrics:
    """What this process counted since it started; may be told from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[Labels] = Counter()
        self._latencies: defaultdict[str, _Latency] = defaultdict(_Latency)
        self._events: Counter[str] = Counter()

    def requested(self, operation: str, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        with self._lock:
            self._requests[("operation", operation), ("status", str(status))] += 1
            latency = self._latencies[operation]
            latency.counts[bisect_left(BUCKETS, seconds)] += 1
            latency.total += seconds

    def happened(self, event: str) -> None:
        """Count one event of the sentinel."""
        with self._lock:
            if event in self._events or len(self._events) < MOST_EVENT_NAMES:
                self._events[event] += 1

    def render(self, more: list[Family]) -> str:
        """Every number, with those that others counted."""
        with self._lock:
            requests = Family("casparian_api_requests_total", "counter", "Requests answered.", dict(self._requests))
            events = Family(
                "casparian_events_total",
                "counter",
                "Events of the sentinel by their name.",
                {(("event", name),): count for name, count in self._events.items()},
            )
            latency = list(_histogram(self._latencies))
        lines = [line for family in (*more, events, requests) for line in _lines(family)]
        return "\n".join([*lines, *latency, ""])


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.says}"
    yield f"# TYPE {family.name} {family.kind}"
    for labels, value in sorted(family.values.items()):
        yield f"{family.name}{_labels(labels)} {_number(value)}"


def _histogram(latencies: Mapping[str, _Latency]) -> Iterator[str]:
    name = "casparian_api_request_duration_seconds"
    yield f"# HELP {name} Time from a request's arrival to its answer; of a stream, to its end."
    yield f"# TYPE {name} histogram"
    for operation, latency in sorted(latencies.items()):
        count = 0
        for bound, here in zip((*map(_number, BUCKETS), "+Inf"), latency.counts, strict=True):
            count += here
            yield f"{name}_bucket{_labels((('operation', operation), ('le', bound)))} {count}"
        yield f"{name}_sum{_labels((('operation', operation),))} {_number(latency.total)}"
        yield f"{name}_count{_labels((('operation', operation),))} {count}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def families_of(numbers: MetricsReply) -> list[Family]:
    """The numbers of the home as families."""

    def one(name: str, kind: str, says: str, value: float) -> Family:
        return Family(f"casparian_{name}", kind, says, {(): value})

    def by_state(name: str, says: str, counts: Mapping[str, int]) -> Family:
        return Family(
            f"casparian_{name}", "gauge", says, {(("state", state),): count for state, count in counts.items()}
        )

    return [
        by_state("jobs", "Jobs by state.", numbers.jobs),
        one("queue_age_seconds", "gauge", "How long the oldest queued job waits.", numbers.queue_seconds),
        one("job_attempts_total", "counter", "Claims of a job by a worker.", numbers.attempts),
        one("job_failures_total", "counter", "Attempts that failed or were lost.", numbers.failures),
        one("parsers_paused", "gauge", "Parsers that are paused after failures.", numbers.paused_parsers),
        by_state("workers", "Workers by state.", numbers.workers),
        one("worker_slots", "gauge", "Slots of the workers that are present.", numbers.slots),
        one("quarantine_rows", "gauge", "Rows that wait in quarantine.", numbers.quarantined_rows),
        one("database_size_bytes", "gauge", "Size of the control database.", numbers.database_bytes),
    ]
