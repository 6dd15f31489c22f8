"""A column is closed while files are read: their workers know nothing of it, and may say nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from builders import SINK
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.routes import Routes, SinkTarget
from casparian_flow.core.treatments import Sensitivity
from casparian_flow.protocol.bodies import Abort, Err, Holding, Permit, Printed
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.sentinel.queue.attempts import Attempts
from casparian_flow.store import closings
from casparian_flow.store.governed import Ground, put_contract
from casparian_flow.store.tables import job_logs
from scripted_worker import ScriptedWorker, SentinelHome, sentinel_home, the

GROUND = Ground(proposal=1, digest="d", proposed_by="kim", decided_by="dana", reason="", now_ns=20)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home") as made:
        yield made


def close(home: SentinelHome, table: str = "a") -> None:
    """What `id` holds may not be seen from now on."""
    column = ContractColumn("id", "int64", sensitivity=Sensitivity.SECRET)
    with home.past.database.transaction() as connection:
        put_contract(connection, Contract(table, 2, (column,), origin=Origin.APPROVED), GROUND, {})


def close_for_good(home: SentinelHome) -> None:
    """The same, as an approval does it."""
    close(home)
    with home.past.database.transaction() as connection:
        closings.add(connection)


def at_work(home: SentinelHome) -> tuple[ScriptedWorker, int]:
    worker = home.worker()
    [job] = home.submit()
    worker.take()
    worker.at_work(job)
    return worker, job


def kept_lines(home: SentinelHome) -> list[str]:
    with home.past.database.transaction() as connection:
        return list(connection.execute(select(job_logs.c.text)).scalars())


def test_a_file_that_was_read_before_the_column_was_closed_is_read_again(home: SentinelHome) -> None:
    worker, job = at_work(home)
    close(home)
    refused = worker.seal(job, attempt=1)
    assert the(Abort, refused).code == "fenced"
    assert home.job(job).receipt is None
    worker.beat()
    assert worker.orders[job].attempt == 2
    assert the(Permit, worker.seal(job))
    assert home.job(job).failures == 0


def test_what_it_prints_or_why_it_fails_is_not_kept_any_more(home: SentinelHome) -> None:
    worker, job = at_work(home)
    close(home)
    lines = [LogLine("stdout", "id is 77123409")]
    worker.beat(worker.progress(job), printed=[Printed(job=job, attempt=1, first=0, lines=lines)])
    worker.about(Opcode.ERR, Err(code="parser-crashed", message="id is 77123409", transient=True), job, 1)
    assert kept_lines(home) == []
    assert not home.job(job).error_message
    worker.beat()
    again = worker.orders[job].attempt
    assert again > 1
    worker.beat(worker.progress(job), printed=[Printed(job=job, attempt=again, first=0, lines=lines)])
    assert kept_lines(home) == ["id is 77123409"]  # this attempt knows: its worker has closed what it says


def test_files_of_other_tables_are_read_on(home: SentinelHome) -> None:
    close(home, "b")
    worker, job = at_work(home)
    with home.past.database.transaction() as connection:
        put_contract(connection, Contract("c", 1, (ContractColumn("x", "string"),), origin=Origin.APPROVED), GROUND, {})
    worker.at_work(job, phase=JobPhase.PARSING)
    assert worker.orders[job].attempt == 1
    assert the(Permit, worker.seal(job))


def test_what_waits_sealed_for_the_end_of_its_run_is_read_again(home: SentinelHome) -> None:
    worker = home.worker()
    routes = Routes(default=(SinkTarget(SINK, SinkMode.REPLACE),))
    first, second = home.submit(2, routes=routes)
    worker.take()
    worker.seal(first)
    worker.take()
    assert home.job(first).receipt is not None
    close(home)
    worker.beat(free=1)
    home.step()
    worker.take()
    assert home.job(first).receipt is None
    assert second in worker.orders


def test_what_an_earlier_sentinel_gave_out_is_read_again_if_nobody_was_there_to_notice(home: SentinelHome) -> None:
    worker, job = at_work(home)
    close_for_good(home)
    home.start()
    worker.identify(holding=[Holding(job=job, attempt=1, phase=JobPhase.PARSING)])
    lines = [LogLine("stdout", "id is 77123409")]
    worker.beat(worker.progress(job), printed=[Printed(job=job, attempt=1, first=0, lines=lines)])
    assert the(Abort, worker.seal(job, attempt=1)).code == "fenced"
    assert kept_lines(home) == []
    assert (home.job(job).receipt, home.job(job).failures) == (None, 0)


def test_a_sentinel_that_dies_while_it_takes_orders_back_leaves_that_to_the_next(
    home: SentinelHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, job = at_work(home)
    close_for_good(home)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(Attempts, "give_back", lambda *_: 1 // 0)
        home.start()
        worker.beat(worker.progress(job))
    home.start()
    worker.identify(holding=[Holding(job=job, attempt=1, phase=JobPhase.PARSING)])
    assert the(Abort, worker.seal(job, attempt=1)).code == "fenced"


def test_a_sentinel_that_starts_leaves_alone_what_knows_of_the_closing(home: SentinelHome) -> None:
    close_for_good(home)
    home.step()
    worker, job = at_work(home)
    home.start()
    worker.identify(holding=[Holding(job=job, attempt=1, phase=JobPhase.PARSING)])
    assert the(Permit, worker.seal(job, attempt=1))
