"""What a slot says about the jobs of an order: one word for each, whatever happens to its guests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.errors import ParserRaised
from casparian_flow.core.outputs import SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import Parse
from casparian_flow.protocol.messages import JobOrder, Limits
from casparian_flow.sinks.uri import open_sink
from casparian_flow.worker import execute
from casparian_flow.worker.events import Began, Ended, Event, Raised, RejectedRecord
from casparian_flow.worker.turns import Turns
from guest_orders import a_job_order, a_parser_order, write_parser


class Words:
    """Notes what is said; nothing is asked."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    def __getattr__(self, word: str) -> Any:
        def note(jobs: JobOrder | Sequence[JobOrder], *_: object) -> bool:
            for job in [jobs] if isinstance(jobs, JobOrder) else jobs:
                self.said.append((word, job.job))
            return False

        return note


def test_a_job_that_failed_in_the_host_is_not_told_again_when_it_begins_anew_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible: Any = None
    events: list[Event] = [
        Began(1),
        RejectedRecord(1, impossible, "c", "m", None, None, None, None, None),
        Began(1),
        Ended(1, {}, 0),
        Began(2),
        Raised(2, ParserRaised("two")),
    ]
    monkeypatch.setattr(execute, "parse", lambda *_: (event for event in events))
    parser = a_parser_order(write_parser(tmp_path, ""))
    jobs = [a_job_order(1), a_job_order(2)]
    order = Parse(
        parser=parser,
        jobs=jobs,
        contracts={},
        routes=Routes(default=(SinkTarget(f"parquet://{tmp_path}/out"),)),
        limits=Limits(),
    )
    words = Words()
    execute.parse_group(order, words, execute.Tools(open_sink=open_sink, scratch=tmp_path), Turns())
    told = [(word, job) for word, job in words.said if word not in ("progressed", "printed")]
    assert told == [("started", 1), ("failed", 1), ("started", 2), ("failed", 2)]
