"""Has the process of the first job start while the rest of the product is loaded; light, so that it can come first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from casparian_flow.worker.spare import Spare

__all__ = ["Spare", "started_spare"]


@contextmanager
def started_spare() -> Iterator[Spare]:
    """A guest for `wiring.open_acting`, ended with the block unless a job took it."""
    with closing(Spare()) as spare:
        spare.start()
        yield spare
