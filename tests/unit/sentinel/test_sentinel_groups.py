"""Groups at the sentinel: all of it commits or none, and who is not the cause of a refusal runs again at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builders import SINK
from casparian_flow.core.errors import InvariantBroken, SinkUnavailable
from casparian_flow.core.jobs import JobPhase
from casparian_flow.core.outputs import Role, SinkMode, SinkTarget
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import Abort, Ack, Cast, Conclude, Dispatch, Err, Holding, Permit, Seal, Stopped
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.sentinel.commit import commits
from casparian_flow.sentinel.runs import Policy
from casparian_flow.sinks.log import parse_entry
from casparian_flow.store import tables
from casparian_flow.store.views.outputs import last_entries_of
from scripted_worker import REPLACING, ScriptedWorker, SentinelHome, a_receipt, sealed, sentinel_home, the

STRICT = Policy(tolerance=0.4)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def new_table(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home", with_contract=False) as made:
        yield made


def at_work(home: SentinelHome, jobs: int = 3, **changes: object) -> tuple[ScriptedWorker, list[int]]:
    """A worker that reads so many files in one order, and their jobs."""
    ids = home.submit(jobs, **changes)  # type: ignore[arg-type]
    worker = home.worker()
    worker.at_work(*ids)
    return worker, ids


def states(home: SentinelHome, jobs: list[int]) -> list[str]:
    return [home.state(job) for job in jobs]


def given_back(home: SentinelHome, *jobs: int) -> None:
    """Nothing of them failed."""
    for job in jobs:
        row = home.job(job)
        assert (row.state, row.failures, row.receipt) == ("queued", 0, None)


def test_a_group_is_permitted_promoted_and_recorded_as_one(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    permit = the(Permit, worker.seal_together(*jobs))
    [entry] = permit.entries
    body = parse_entry(entry.body, entry.sink)
    [file] = body.adds
    assert (file.name, file.rows) == (f"v1/a_{jobs[0]}.1.0.parquet", 6)
    assert [(part.job, part.rows) for part in file.jobs] == [(job, 2) for job in jobs]
    assert [record.job for record in body.jobs] == jobs
    assert states(home, jobs) == ["committing"] * 3
    the(Ack, worker.about(Opcode.CONCLUDE, Conclude(), jobs[0]))
    assert states(home, jobs) == ["completed"] * 3
    for event in ("job.permitted", "job.completed"):
        assert [values["job"] for values in home.told(event)] == jobs
    assert home.core.is_over(home.plan)


def test_a_group_that_is_asked_about_again_gets_the_same_permit(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    assert the(Permit, worker.seal_together(*jobs)) == the(Permit, worker.seal_together(*jobs))
    worker.about(Opcode.CONCLUDE, Conclude(), jobs[0])
    the(Ack, worker.seal_together(*jobs))


def test_members_without_rows_are_recorded_with_their_group(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    empty = Receipt(counts=(), outputs=(), isolation="process", seconds=1.0, bytes_read=0)
    receipts = [empty, a_receipt(jobs[1], 1, owner=jobs[0]), empty]
    group = sealed(*((job, 1, each) for job, each in zip(jobs, receipts, strict=True)))
    the(Permit, worker.about(Opcode.SEALED, Seal(outcome=group), jobs[0]))
    worker.about(Opcode.CONCLUDE, Conclude(), jobs[0])
    assert states(home, jobs) == ["completed"] * 3


def test_who_is_over_tolerance_fails_and_the_others_run_again_at_once(home: SentinelHome) -> None:
    worker, jobs = at_work(home, policy=STRICT)
    abort = the(Abort, worker.seal_together(*jobs, quarantined={jobs[1]: 5}))
    assert abort.code == "over-tolerance"
    assert home.job(jobs[1]).error_code == "over-tolerance"
    given_back(home, jobs[0], jobs[2])
    for job in jobs:
        the(Ack, worker.about(Opcode.STOPPED, Stopped(), job))
    worker.beat()
    assert {worker.orders[job].attempt for job in (jobs[0], jobs[2])} == {2}
    the(Permit, worker.seal_together(jobs[2], jobs[0]))


def test_who_names_a_file_that_is_not_the_groups_fails_alone(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    receipts = [a_receipt(jobs[0], 1), a_receipt(jobs[1], 1, owner=jobs[0]), a_receipt(jobs[2], 1)]
    group = sealed(*((job, 1, each) for job, each in zip(jobs, receipts, strict=True)))
    assert the(Abort, worker.about(Opcode.SEALED, Seal(outcome=group), jobs[0])).code == "invariant-broken"
    assert home.state(jobs[2]) == "failed"
    given_back(home, *jobs[:2])


def test_who_says_of_a_shared_file_what_the_others_do_not_fails_alone(home: SentinelHome) -> None:
    worker, jobs = at_work(home, 2)
    lie = a_receipt(jobs[1], 1, owner=jobs[0])
    outputs = tuple(
        replace(output, files=tuple(replace(file, digest="blake3:other") for file in output.files))
        for output in lie.outputs
    )
    group = sealed((jobs[0], 1, a_receipt(jobs[0], 1)), (jobs[1], 1, replace(lie, outputs=outputs)))
    the(Abort, worker.about(Opcode.SEALED, Seal(outcome=group), jobs[0]))
    assert home.state(jobs[1]) == "failed"
    given_back(home, jobs[0])


@pytest.mark.parametrize("which", [0, 1])
def test_a_cancelled_member_keeps_its_group_from_committing(home: SentinelHome, which: int) -> None:
    worker, jobs = at_work(home, 2)
    cancelled, other = jobs[which], jobs[1 - which]
    assert home.core.cancel(cancelled, home.now_ns).is_cancelled
    answers = worker.seal_together(*jobs)
    assert {body.code for body in answers if isinstance(body, Abort)} == {"cancelled"}
    assert not any(isinstance(body, Permit) for body in answers)
    assert home.state(cancelled) == "running"
    given_back(home, other)
    worker.about(Opcode.STOPPED, Stopped(), cancelled)
    assert home.state(cancelled) == "aborted"


def test_a_group_is_refused_if_one_of_it_is_cancelled_in_the_store_alone(home: SentinelHome) -> None:
    worker, jobs = at_work(home, 2)
    with home.past.database.transaction() as connection:
        changed = tables.jobs.update().where(tables.jobs.c.id == jobs[1])
        connection.execute(changed.values(cancel_requested=True))
    the(Abort, worker.seal_together(*jobs))
    assert states(home, jobs) == ["running", "running"]


def test_a_group_of_which_one_runs_elsewhere_is_refused(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    for _ in range(4):  # the third is not named any more
        home.step(5)
        worker.at_work(*jobs[:2])
    assert home.state(jobs[2]) == "queued"
    assert the(Abort, worker.seal_together(*jobs)).code == "fenced"
    given_back(home, *jobs[:2])


def test_a_group_that_names_a_job_twice_or_another_leader_is_refused_as_a_message(home: SentinelHome) -> None:
    worker, jobs = at_work(home, 2)
    twice = sealed(*((jobs[0], 1, a_receipt(jobs[0], 1)) for _ in range(2)))
    assert the(Err, worker.about(Opcode.SEALED, Seal(outcome=twice), jobs[0])).code == "bad-group"
    other = sealed((jobs[1], 1, a_receipt(jobs[1], 1)))
    assert the(Err, worker.about(Opcode.SEALED, Seal(outcome=other), jobs[0])).code == "bad-group"
    assert states(home, jobs) == ["running", "running"]


def test_who_is_of_another_run_than_its_leader_fails_alone(home: SentinelHome) -> None:
    [first] = home.submit()
    [second] = home.submit()
    worker = home.worker(slots=2)
    worker.at_work(first, second)
    the(Abort, worker.seal_together(first, second))
    assert home.state(second) == "failed"
    given_back(home, first)


def test_a_group_that_fails_for_nobody_knows_whom_is_tried_again_one_by_one(
    home: SentinelHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise InvariantBroken("who knows why")

    worker, jobs = at_work(home, policy=Policy(back_off_seconds=(0.0,)))
    with monkeypatch.context() as patched:
        patched.setattr(commits, "permit", broken)
        the(Abort, worker.seal_together(*jobs))
    assert [home.job(job).failures for job in jobs] == [1, 1, 1]
    worker.heard.clear()
    worker.beat()
    [order] = [message.body.order for message in worker.heard if isinstance(message.body, Dispatch)]
    assert len(order.jobs) == 1


def test_only_the_leader_can_conclude(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    worker.seal_together(*jobs)
    assert the(Err, worker.about(Opcode.CONCLUDE, Conclude(), jobs[1])).code == "fenced"
    assert states(home, jobs) == ["committing"] * 3


def test_a_group_that_its_worker_cannot_make_visible_is_rolled_forward_as_a_whole(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    home.refuses = SinkUnavailable("away")
    worker.seal_together(*jobs)
    worker.about(Opcode.ERR, Err(code="sink-unavailable", message="away", transient=True), jobs[0])
    assert [home.job(job).error_code for job in jobs] == ["sink-unavailable"] * 3
    home.refuses = None
    home.step(31)
    home.step(31)
    assert states(home, jobs) == ["completed"] * 3


def test_a_group_whose_worker_is_gone_is_made_visible_once(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    worker.seal_together(*jobs)
    home.core.lost(worker.peer, home.now_ns)
    for _ in range(5):
        home.step(5)
    assert states(home, jobs) == ["completed"] * 3
    assert [action.jobs for action in home.promoted] == [frozenset(jobs)]


def test_a_group_that_was_permitted_before_a_restart_is_recorded_as_a_whole(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    worker.seal_together(*jobs)
    home.holds_actions = True
    home.start()
    worker.identify([Holding(job=job, attempt=1, phase=JobPhase.PROMOTING) for job in jobs])
    assert the(Err, worker.about(Opcode.CONCLUDE, Conclude(), jobs[2])).code == "fenced"
    the(Ack, worker.about(Opcode.CONCLUDE, Conclude(), jobs[0]))
    assert states(home, jobs) == ["completed"] * 3


def test_the_moment_of_a_job_is_that_of_its_group_whoever_led_it(home: SentinelHome) -> None:
    worker, jobs = at_work(home, 5)
    worker.seal_together(*jobs[:3])
    worker.seal_together(*jobs[3:])
    with home.past.database.transaction() as connection:
        moments = [last_entries_of(connection, job) for job in jobs]
    assert moments == [{(SINK, "a", Role.ACCEPTED): 1}] * 3 + [{(SINK, "a", Role.ACCEPTED): 2}] * 2


def test_a_sealed_group_is_decided_by_the_sentinel_that_follows(home: SentinelHome) -> None:
    worker, jobs = at_work(home)
    home.start()
    worker.identify([Holding(job=job, attempt=1, phase=JobPhase.SEALED) for job in jobs])
    the(Permit, worker.seal_together(*jobs))


def test_a_held_group_replaces_as_a_whole(home: SentinelHome) -> None:
    worker, jobs = at_work(home, routes=REPLACING)
    the(Ack, worker.seal_together(*jobs))
    home.step()
    assert states(home, jobs) == ["completed"] * 3
    [promoted] = home.promoted
    [file] = parse_entry(promoted.entries[0].body, SINK).adds
    assert file.rows == 6


def held(home: SentinelHome) -> tuple[ScriptedWorker, list[int], int]:
    """Two jobs that are held together, and one more that still runs."""
    worker, jobs = at_work(home, routes=REPLACING)
    the(Ack, worker.seal_together(*jobs[:2]))
    return worker, jobs[:2], jobs[2]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_held_member_that_is_cancelled_takes_the_files_of_its_group_along(home: SentinelHome, restarts: bool) -> None:
    worker, jobs, last = held(home)
    if restarts:
        home.start()
        worker.identify([Holding(job=last, attempt=1, phase=JobPhase.PARSING)])
    assert home.core.cancel(jobs[1], home.now_ns).is_cancelled
    home.step()
    assert home.state(jobs[1]) == "aborted"
    [discard] = home.discarded
    assert (discard.job, discard.attempt) == (jobs[0], 1)
    worker.beat(worker.progress(last))
    assert worker.orders[jobs[0]].attempt == 2
    worker.seal(jobs[0])
    worker.seal(last)
    home.step()
    assert states(home, [*jobs, last]) == ["completed", "aborted", "completed"]


def test_a_member_of_a_held_group_is_not_made_visible_once_the_store_says_it_is_cancelled(home: SentinelHome) -> None:
    worker, jobs, last = held(home)
    with home.past.database.transaction() as connection:
        changed = tables.jobs.update().where(tables.jobs.c.id == jobs[0])
        connection.execute(changed.values(cancel_requested=True))
    the(Ack, worker.seal(last))
    home.step()
    assert home.state(jobs[0]) == "aborted"
    worker.beat()
    worker.seal(jobs[1])
    home.step()
    assert states(home, [*jobs, last]) == ["aborted", "completed", "completed"]


def test_mode_error_ends_who_writes_there_and_not_the_others(home: SentinelHome) -> None:
    old = home.submit()
    worker = home.worker()
    worker.seal(*old)
    worker.about(Opcode.CONCLUDE, Conclude(), *old)
    topics = {"a": (SinkTarget(SINK, SinkMode.ERROR),)}
    jobs = home.submit(2, routes=Routes(default=(SinkTarget(SINK),), topics=topics))
    worker.beat()
    empty = Receipt(counts=(), outputs=(), isolation="process", seconds=1.0, bytes_read=0)
    group = sealed((jobs[0], 1, a_receipt(jobs[0], 1)), (jobs[1], 1, empty))
    assert the(Abort, worker.about(Opcode.SEALED, Seal(outcome=group), jobs[0])).code == "output-exists"
    assert home.state(jobs[0]) == "failed"
    given_back(home, jobs[1])


# --- first contact --------------------------------------------------------------------------------------------


def casts(worker: ScriptedWorker) -> list[list[int]]:
    orders = [message.body.order for message in worker.heard if isinstance(message.body, Dispatch)]
    return [[each.job.job for each in order.jobs] for order in orders if isinstance(order, Cast)]


def test_a_surveyed_group_is_cast_in_one_order_when_all_its_tables_are_chosen(new_table: SentinelHome) -> None:
    home = new_table
    worker, jobs = at_work(home)
    the(Ack, worker.survey(*jobs[:2]))
    assert casts(worker) == []
    the(Ack, worker.survey(jobs[2]))
    worker.beat(worker.progress(jobs[0], JobPhase.SURVEYED), worker.progress(jobs[2], JobPhase.SURVEYED))
    worker.beat(worker.progress(jobs[0], JobPhase.CASTING), worker.progress(jobs[2], JobPhase.SURVEYED))
    assert casts(worker) == [jobs[:2], [jobs[2]]]


def test_the_word_of_a_leader_keeps_the_lease_of_its_whole_group(new_table: SentinelHome) -> None:
    home = new_table
    worker, jobs = at_work(home)
    worker.survey(*jobs[:2])
    for _ in range(5):
        home.step(7)
        worker.beat(worker.progress(jobs[0], JobPhase.SURVEYED), worker.progress(jobs[2]), free=0)
    assert states(home, jobs) == ["running"] * 3


def test_a_surveyed_group_of_which_one_is_cancelled_is_given_up_by_its_worker(new_table: SentinelHome) -> None:
    home = new_table
    worker, jobs = at_work(home)
    worker.survey(*jobs[:2])
    home.core.cancel(jobs[1], home.now_ns)
    home.step()
    worker.take()
    said = worker.beat(worker.progress(jobs[0], JobPhase.SURVEYED), worker.progress(jobs[2]), free=0)
    assert "fenced" in [body.code for body in said if isinstance(body, Abort)]
    for job in jobs[:2]:
        worker.about(Opcode.STOPPED, Stopped(), job)
    assert home.state(jobs[1]) == "aborted"
    given_back(home, jobs[0])


def test_a_cast_that_was_lost_is_ordered_again(new_table: SentinelHome) -> None:
    home = new_table
    worker, jobs = at_work(home, 2)
    worker.survey(*jobs)
    home.step()
    worker.lose()
    worker.beat(worker.progress(jobs[0], JobPhase.SURVEYED))
    home.step()
    worker.lose()
    worker.beat(worker.progress(jobs[0], JobPhase.SURVEYED))
    worker.beat(worker.progress(jobs[0], JobPhase.SURVEYED))
    assert casts(worker)[-1] == jobs


def test_a_job_that_failed_before_is_ordered_by_itself(home: SentinelHome) -> None:
    worker, jobs = at_work(home, policy=Policy(back_off_seconds=(0.0, 0.0)))
    worker.about(Opcode.ERR, Err(code="parser-crashed", message="boom", transient=True), jobs[0])
    for job in jobs[1:]:
        worker.about(Opcode.STOPPED, Stopped(), job)
    assert home.job(jobs[0]).failures == 1
    worker.heard.clear()
    worker.beat()
    worker.beat(*(worker.progress(job) for job in worker.orders if worker.orders[job].attempt == 2), free=1)
    orders = [message.body.order for message in worker.heard if isinstance(message.body, Dispatch)]
    assert sorted(len(order.jobs) for order in orders) == [1, 2]
