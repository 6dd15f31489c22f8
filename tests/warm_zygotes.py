"""Zygotes for tests: warm before the first guest, so that what follows is forked for certain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from casparian_flow.protocol.messages import JobOrder, Limits, ParserOrder
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Event
from casparian_flow.worker.zygotes import SEEN_BEFORE, Zygotes
from guest_orders import said

LIMITS = Limits(job_seconds=60.0)


@contextmanager
def open_zygotes(folder: Path) -> Iterator[Zygotes]:
    """Zygotes whose folders lie in `folder`, ended with the block."""
    zygotes = Zygotes(folder)
    try:
        yield zygotes
    finally:
        zygotes.close()


def warm(zygotes: Zygotes, parser: ParserOrder, limits: Limits = LIMITS) -> str:
    """Have the parser's zygote started and wait for it; why there is none, or an empty string."""
    with patch("casparian_flow.worker.zygotes.PATIENCE_SECONDS", 0.0):  # here nobody wants the guest
        for _ in range(SEEN_BEFORE + 1):
            assert zygotes.fork(parser, limits, ()) is None
    wait_until(lambda: zygotes.has(parser, limits) or bool(zygotes.why_not(parser, limits)))
    return zygotes.why_not(parser, limits)


def read(
    zygotes: Zygotes | None,
    parser: ParserOrder,
    jobs: Sequence[JobOrder],
    stop: CancelToken | None = None,
    limits: Limits = LIMITS,
) -> list[Event]:
    """Everything that comes of these jobs."""
    return list(said(parser, jobs, limits, stop or CancelToken(), zygotes=zygotes))


def wait_until(claim: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, f"not within {seconds:g} seconds"
        time.sleep(0.01)
