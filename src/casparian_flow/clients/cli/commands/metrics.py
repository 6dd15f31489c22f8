"""`casparian metrics`: the home in numbers, for what watches it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face

if TYPE_CHECKING:
    from casparian_flow.operations.home.metrics import MetricsReply


@click.command("metrics")
@pass_face
def command(face: Face) -> None:
    """Jobs, attempts, workers and sizes in numbers; a service gives them to Prometheus at /metrics."""
    from casparian_flow.operations.home.metrics import AskMetrics

    reply = face.ask("metrics", AskMetrics())
    face.show("casparian.metrics/1", reply, _lines(reply))


def _lines(numbers: MetricsReply) -> Iterator[str]:
    yield f"jobs         {_counts(numbers.jobs)}"
    yield f"queue        the oldest waits {numbers.queue_seconds:.0f} s"
    yield f"attempts     {numbers.attempts}, of which {numbers.failures} in vain"
    yield f"parsers      {numbers.paused_parsers} paused"
    yield f"workers      {_counts(numbers.workers)}, {numbers.slots} slots"
    yield f"quarantine   {numbers.quarantined_rows} rows"
    yield f"database     {numbers.database_bytes} bytes"


def _counts(by_state: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in by_state.items() if count) or "none"
