"""What lost workers had staged is removed while nobody writes, or at the next start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from builders import SINK
from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.protocol.bodies import Conclude
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.sentinel.recovery import take_up
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.store.meta import littered_sinks
from scripted_worker import ScriptedWorker, SentinelHome, sentinel_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home") as made:
        yield made


def remembered(home: SentinelHome) -> list[str]:
    with home.past.database.transaction() as connection:
        return littered_sinks(connection)


def lose_a_worker(home: SentinelHome) -> int:
    """Of two workers one stays silent, the other concludes; the job that the first had."""
    lost, second, kept = lose_one_of_two(home)
    second.seal(kept)
    second.about(Opcode.CONCLUDE, Conclude(), kept)
    return lost


def lose_one_of_two(home: SentinelHome) -> tuple[int, ScriptedWorker, int]:
    """A worker stays silent: the job that is queued again, the other worker, and the job that this one has."""
    [lost] = home.submit()
    home.worker("first").at_work(lost)
    [kept] = home.submit()
    second = home.worker("second")
    for _ in range(4):
        second.at_work(kept)
        home.step(5)
    assert home.state(lost) == "queued"
    return lost, second, kept


def test_nothing_is_swept_while_anybody_may_write(home: SentinelHome) -> None:
    lose_one_of_two(home)
    assert (remembered(home), home.swept) == ([SINK], [])


def test_what_a_lost_worker_staged_is_swept_before_anything_more_is_given_out(home: SentinelHome) -> None:
    home.holds_actions = True
    lost = lose_a_worker(home)
    [sweep] = home.actions
    assert cast(Any, sweep).sinks == (SINK,)
    third = home.worker("third")
    assert lost not in third.orders
    home.holds_actions = False
    home.step()
    third.beat()
    assert lost in third.orders
    assert remembered(home) == []


def test_what_could_not_be_swept_is_left_for_the_next_start(home: SentinelHome, tmp_path: Path) -> None:
    home.refuses = SinkUnavailable("it is away")
    lose_a_worker(home)
    assert (len(home.swept), remembered(home)) == (1, [SINK])

    swept: list[str] = []

    class Swept:
        def sweep(self, _keep: list[Attempt]) -> int:
            return len(swept)

    def open_sink(uri: str) -> Sink:
        swept.append(uri)
        return cast(Sink, Swept())

    take_up(home.past.database, open_sink, "parquet:///default", tmp_path / "staging", home.now_ns)
    assert SINK in swept
    assert remembered(home) == []


def test_a_job_that_ends_by_itself_leaves_nothing_to_sweep(home: SentinelHome) -> None:
    [job] = home.submit()
    worker = home.worker()
    worker.seal(job)
    worker.about(Opcode.CONCLUDE, Conclude(), job)
    assert (remembered(home), home.swept) == ([], [])


def test_a_worker_that_is_lost_while_it_makes_rows_visible_may_have_left_files_too(home: SentinelHome) -> None:
    [job] = home.submit()
    home.worker().seal(job)
    assert home.state(job) == "committing"
    home.step(20)
    assert home.state(job) == "completed"
    assert [sweep.sinks for sweep in home.swept] == [(SINK,)]
