"""A worker that lies: whatever it says costs it its own attempts, never the sentinel or anybody else's work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.bodies import (
    Abort,
    Cast,
    Dispatch,
    Heartbeat,
    Holding,
    Printed,
    Progress,
    Seal,
)
from casparian_flow.protocol.messages import OutputSurvey
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.schema.survey import Survey
from casparian_flow.store import tables
from scripted_worker import (
    REPLACING,
    ScriptedWorker,
    SentinelHome,
    a_receipt,
    sealed,
    sentinel_home,
    surveyed_as,
    the,
)

LARGEST = (1 << 63) - 1


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def new_table(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home", with_contract=False) as made:
        yield made


def at_work(home: SentinelHome, **changes: Any) -> tuple[int, ScriptedWorker]:
    [job] = home.submit(**changes)
    worker = home.worker()
    worker.at_work(job)
    return job, worker


def a_changed_receipt(job: int, **changes: Any) -> Receipt:
    """A receipt as JSON would bring it, with other values at these paths (`outputs__0__rows`)."""
    value = msgspec.to_builtins(a_receipt(job, 1))
    for path, new in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        place = value
        for step in way:
            place = place[step]
        place[last] = new
    return msgspec.convert(value, Receipt)


LIES: dict[str, dict[str, Any]] = {
    "a name that leads out of the table": {"outputs__0__files__0__name": "../a_{job}.1.0.parquet"},
    "no version folder": {"outputs__0__files__0__name": "x/a_{job}.1.0.parquet"},
    "a table that is a path": {"counts__0__table": "../a", "outputs__0__table": "../a", "outputs__0__files": []},
    "a sink of its own": {
        "counts__0__emitted": 0, "counts__0__accepted": 0,
        "outputs__0__rows": 0, "outputs__0__files": [], "outputs__0__sink": "parquet:///etc",
    },
    "less than nothing": {"counts__0__accepted": -2, "counts__0__quarantined": 4, "outputs__0__rows": -2},
    "more rows than there can be": {
        "counts__0__emitted": LARGEST, "counts__0__accepted": LARGEST,
        "outputs__0__rows": LARGEST, "outputs__0__files__0__rows": LARGEST,
    },
    "files that do not add up": {"outputs__0__files__0__rows": 1},
    "a version below all": {"outputs__0__contract_version": -1},
}  # fmt: skip


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("lie", LIES)
def test_a_receipt_that_lies_fails_its_attempt_alone(home: SentinelHome, lie: str, is_held: bool) -> None:
    job, worker = at_work(home, **({"routes": REPLACING} if is_held else {}))
    changes = {at: new.format(job=job) if isinstance(new, str) else new for at, new in LIES[lie].items()}
    receipt = a_changed_receipt(job, **changes)
    assert the(Abort, worker.about(Opcode.SEALED, Seal(outcome=sealed((job, 1, receipt))), job)).code
    assert home.state(job) == "failed"
    assert home.core.is_over(home.plan)
    assert (home.promoted, home.discarded) == ([], [])


def test_a_place_that_is_named_twice_with_opposite_rows_is_refused(home: SentinelHome) -> None:
    job, worker = at_work(home)
    one = a_receipt(job, 1).outputs[0]
    outputs = [_with_rows(one, rows) for rows in (5, -5)]
    receipt = Receipt(counts=(), outputs=tuple(outputs), isolation="process", seconds=0.1, bytes_read=1)
    the(Abort, worker.about(Opcode.SEALED, Seal(outcome=sealed((job, 1, receipt))), job))
    assert home.state(job) == "failed"


def _with_rows(output: Any, rows: int) -> Any:
    return msgspec.convert({**msgspec.to_builtins(output), "rows": rows, "files": []}, type(output))


def test_numbers_that_no_database_takes_do_no_harm(home: SentinelHome) -> None:
    job, worker = at_work(home)
    worker.beat(worker.progress(job, rows=LARGEST, bytes=LARGEST, silent_ms=LARGEST), free=0)
    assert home.state(job) == "running"
    assert home.job(job).silent_since_ns == 0


def test_a_worker_that_has_seen_what_was_never_sent_gets_no_more_than_its_slots(home: SentinelHome) -> None:
    home.submit(200)
    worker = ScriptedWorker(home, "liar", "liar", 2)
    worker.identify()
    worker.say(Opcode.HEARTBEAT, Heartbeat(free=2, seen=LARGEST))
    assert len([message for message in worker.heard if isinstance(message.body, Dispatch)]) == 2


def test_one_heartbeat_brings_no_flood_of_answers(home: SentinelHome) -> None:
    worker = home.worker()
    many = [Progress(job=job, attempt=1, phase=JobPhase.PARSING) for job in range(1, 20_000)]
    assert len(worker.beat(*many)) <= 1_001


def test_empty_lines_are_bounded_too(home: SentinelHome) -> None:
    job, worker = at_work(home)
    for first in range(0, 400_000, 100_000):
        lines = [LogLine("stdout", "")] * 100_000
        worker.beat(worker.progress(job), printed=[Printed(job=job, attempt=1, first=first, lines=lines)])
    with home.past.database.transaction() as connection:
        kept = connection.execute(select(func.count()).select_from(tables.job_logs)).scalar_one()
    assert kept <= 256 << 10


SENSELESS = {
    "bytes that are no survey": {"survey": b"\xff\x00 nothing"},
    "a table that is a path": {"base_table": "../../etc"},
}


@pytest.mark.parametrize("senseless", SENSELESS)
def test_a_senseless_survey_does_not_stand_in_the_way_of_the_others(new_table: SentinelHome, senseless: str) -> None:
    honest, liar = new_table.worker("honest"), new_table.worker("liar")
    good, bad = new_table.submit(2)
    honest.take(), liar.take()
    if good not in honest.orders:
        good, bad = bad, good
    honest.survey(good)
    said = {
        "output": "rows", "base_table": "a", "is_named": False, "columns": ["id"], "headerless": False, "rows": 1,
        "survey": Survey.empty().to_bytes(),
    }  # fmt: skip
    output = OutputSurvey(**said | SENSELESS[senseless])
    liar.about(Opcode.SEALED, Seal(outcome=surveyed_as(bad, output)), bad)
    assert new_table.state(bad) == "failed"
    honest.beat(honest.progress(good, JobPhase.SURVEYED))
    orders = [message.body.order for message in honest.heard if isinstance(message.body, Dispatch)]
    assert any(isinstance(order, Cast) for order in orders)


def test_lines_of_an_attempt_that_an_earlier_sentinel_gave_out_are_kept(home: SentinelHome) -> None:
    job, worker = at_work(home)
    home.start()
    worker.identify([Holding(job=job, attempt=1, phase=JobPhase.PARSING)])
    lines = [LogLine("stdout", "after the restart")]
    worker.beat(worker.progress(job), free=0, printed=[Printed(job=job, attempt=1, first=0, lines=lines)])
    with home.past.database.transaction() as connection:
        assert connection.execute(select(tables.job_logs.c.text)).scalars().all() == ["after the restart"]
