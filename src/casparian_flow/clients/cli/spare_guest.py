"""Has a parser's process start while the rest of the product is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from casparian_flow.clients.cli.face import Face


@contextmanager
def spare_guest(face: Face) -> Iterator[None]:
    """For the length of the block, a guest that is there before the first job is known."""
    if not face.runs_jobs:
        yield
        return
    from casparian_flow.operations.doing.run.spare import started_spare

    with started_spare() as face.spare:
        yield
