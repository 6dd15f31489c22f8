"""What a guest says of the jobs of one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from casparian_flow.guest.runner import run
from casparian_flow.guest.wire import Kind, Wire


class ToldWire(Wire):
    """A wire that keeps what it is told of failures."""

    def __init__(self) -> None:
        self.failures: list[Mapping[str, Any]] = []

    def send(self, kind: Kind, head: Mapping[str, Any], body: Sequence[Any] = ()) -> None:
        if kind == Kind.FAILED:
            self.failures.append(head)

    def flush(self) -> None:
        """Nothing is gathered."""

    def drain(self) -> None:
        """Nothing is gathered."""

    def await_go(self) -> None:
        """The host goes on at once."""


def test_a_parser_that_cannot_be_imported_fails_every_job_with_the_same_trace() -> None:
    def importing(_: Any) -> ModuleType:
        raise ImportError("no such module")

    wire = ToldWire()
    parser = {"path": "p.py", "name": "p", "options": {}, "requires": []}
    jobs = [{"job": job, "path": "x", "source_hash": "h", "file_version": 1} for job in range(3)]
    run(wire, {"parser": parser, "frame_bytes": 1 << 20, "jobs": jobs}, importing)
    assert len({failure["trace"] for failure in wire.failures}) == 1
    assert len(wire.failures) == 3
