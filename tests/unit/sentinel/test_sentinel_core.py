"""The sentinel's rules, message by message, on a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from casparian_flow.core.errors import NotFound, SentinelSuperseded, SinkUnavailable
from casparian_flow.core.jobs import JobPhase, LogLine
from casparian_flow.protocol.bodies import (
    Abort,
    Ack,
    Cast,
    Conclude,
    Deploy,
    Dispatch,
    Err,
    Holding,
    Permit,
    Printed,
    Reload,
    Seal,
    Stopped,
)
from casparian_flow.protocol.codec import from_sentinel
from casparian_flow.protocol.opcodes import HEADER, VERSION, Opcode
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.sentinel import core
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.sentinel.queue.pace import GROUP_FILES
from casparian_flow.sentinel.runs import Policy
from casparian_flow.store import meta, tables
from scripted_worker import REPLACING, ScriptedWorker, SentinelHome, a_receipt, sealed, sentinel_home, surveyed_as, the

CRASHED = Err(code="parser-crashed", message="it died")
AWAY = Err(code="sink-unavailable", message="the disk went away", transient=True)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home") as made:
        yield made


def a_running_job(home: SentinelHome, **changes: object) -> tuple[int, ScriptedWorker]:
    [job] = home.submit(**changes)  # type: ignore[arg-type]
    worker = home.worker()
    worker.at_work(job)
    return job, worker


def recorded(home: SentinelHome) -> int:
    with home.past.database.transaction() as connection:
        return int(connection.execute(select(func.count()).select_from(tables.materializations)).scalar_one())


# --- the way of a job -------------------------------------------------------------------------------------------


def test_an_attempt_that_a_heartbeat_names_twice_has_started_once(home: SentinelHome) -> None:
    [job] = home.submit()
    worker = home.worker()
    worker.at_work(job, job)
    assert [name for name, _ in home.events].count("job.started") == 1


def test_a_job_is_claimed_permitted_and_recorded(home: SentinelHome) -> None:
    [job] = home.submit()
    worker = home.worker()
    assert home.state(job) == "dispatched"
    worker.at_work(job)
    assert home.state(job) == "running"
    permit = the(Permit, worker.seal(job))
    assert [entry.table for entry in permit.entries] == ["a"]
    assert home.state(job) == "committing"
    assert not home.core.is_over(home.plan)
    the(Ack, worker.about(Opcode.CONCLUDE, Conclude(), job))
    assert home.state(job) == "completed"
    assert home.core.is_over(home.plan)
    assert home.told("run.over") == [{"plan": home.plan}]
    assert home.told("job.completed")[0]["rows"] == 2


def test_a_job_that_is_sealed_before_it_is_ever_reported_is_permitted(home: SentinelHome) -> None:
    [job] = home.submit()
    the(Permit, home.worker().seal(job))


def test_small_files_of_a_parser_that_shares_its_process_travel_together(home: SentinelHome) -> None:
    jobs = home.submit(5)
    worker = home.worker()
    assert set(worker.orders) == set(jobs)
    assert home.worker().orders == {}


def test_files_of_other_parsers_travel_together_too_more_of_them_with_every_order(home: SentinelHome) -> None:
    manifest = manifest_text(Manifest(name="own", entry=EntryForm.PARSE, tables="file"))
    home.submit(40, parser=home.past.parser("own", origin="plugin", manifest=manifest))
    sizes = []
    for name in ("one", "two", "three"):
        worker = home.worker(name)
        sizes.append(len(worker.orders))
    assert sizes == [1, 2, 4]


def test_a_parser_that_takes_its_time_gets_fewer_files_with_every_order(home: SentinelHome) -> None:
    home.submit(GROUP_FILES + 70)
    worker = home.worker()
    assert len(worker.orders) == GROUP_FILES
    for job in list(worker.orders):
        worker.about(Opcode.SEALED, Seal(outcome=sealed((job, 1, replace(a_receipt(job, 1), seconds=1.0)))), job)
        worker.about(Opcode.CONCLUDE, Conclude(), job)
    worker.beat()
    assert len(worker.orders) == GROUP_FILES + 2


def test_the_last_jobs_are_shared_among_the_slots(home: SentinelHome) -> None:
    first, second = home.worker("one"), home.worker("two")
    jobs = home.submit(6)
    first.take(), second.take()
    assert (len(first.orders), len(second.orders)) == (3, 2)
    assert {*first.orders, *second.orders} < set(jobs)


def test_a_sealed_question_that_is_asked_again_gets_the_same_permit(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    assert the(Permit, worker.seal(job)) == the(Permit, worker.seal(job))


def test_a_conclusion_that_is_told_again_is_recorded_once(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    worker.seal(job)
    for _ in range(2):
        the(Ack, worker.about(Opcode.CONCLUDE, Conclude(), job))
    assert recorded(home) == 1
    the(Ack, worker.seal(job))


def test_a_message_that_comes_twice_or_late_is_not_taken_in_again(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    assert worker.say(Opcode.ERR, CRASHED, job, 1, seq=1) == []
    assert home.state(job) == "running"


def test_what_a_parser_prints_is_kept_once_and_in_order(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    for first in (0, 0, 1):
        lines = [LogLine("stdout", f"line {first}"), LogLine("stdout", f"line {first + 1}")]
        worker.beat(worker.progress(job), free=0, printed=[Printed(job=job, attempt=1, first=first, lines=lines)])
    with home.past.database.transaction() as connection:
        kept = connection.execute(select(tables.job_logs.c.text).order_by(tables.job_logs.c.line)).scalars().all()
    assert kept == ["line 0", "line 1", "line 2"]


def test_progress_is_kept_and_told(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    worker.beat(worker.progress(job, rows=7, bytes=90, silent_ms=4000), free=0)
    row = home.job(job)
    assert (row.phase, row.rows_read, row.bytes_read) == ("parsing", 7, 90)
    assert row.silent_since_ns == home.now_ns - 4_000_000_000
    assert home.told("job.progressed")[-1]["rows"] == 7


# --- what is lost -----------------------------------------------------------------------------------------------


def test_an_order_that_never_arrived_is_given_out_again_at_once(home: SentinelHome) -> None:
    worker = home.worker()
    [job] = home.submit()
    worker.lose()
    worker.beat()
    assert worker.orders[job].attempt == 2
    assert home.job(job).failures == 0


def test_an_order_on_its_way_occupies_its_slot(home: SentinelHome) -> None:
    worker = home.worker()
    home.submit(2, parser=home.add_parser("own", origin="local"))
    before = worker.seen
    assert len(home.taken(worker.peer)) == 1
    assert worker.seen == before
    worker.beat()
    assert worker.orders == {}


def test_a_lost_lease_gives_the_job_to_another_worker_after_a_pause(home: SentinelHome) -> None:
    job, late = a_running_job(home)
    home.step(16)
    assert (home.state(job), home.job(job).failures) == ("queued", 1)
    home.step(5)
    other = home.worker("other")
    assert other.orders[job].attempt == 2
    late.identify()
    the(Abort, late.seal(job))
    the(Err, late.about(Opcode.CONCLUDE, Conclude(), job))
    assert home.job(job).attempt == 2
    the(Permit, other.seal(job))


def test_a_job_whose_workers_are_lost_again_and_again_is_given_up(home: SentinelHome) -> None:
    [job] = home.submit(policy=Policy(back_off_seconds=(4.0, 16.0)))
    for _ in range(3):
        worker = home.worker()
        worker.at_work(job)
        home.step(16)
        home.step(20)
    assert (home.state(job), home.job(job).error_code) == ("failed", "gave-up")
    assert home.core.is_over(home.plan)


def test_a_heartbeat_extends_the_lease(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    for _ in range(4):
        home.step(10)
        worker.at_work(job)
    assert home.state(job) == "running"


def test_a_worker_that_was_started_again_loses_what_it_had(home: SentinelHome) -> None:
    job, _worker = a_running_job(home)
    home.step(4)
    home.worker()
    assert (home.state(job), home.job(job).failures) == ("queued", 1)


def test_two_living_workers_of_one_name_are_told_apart(home: SentinelHome) -> None:
    job, _worker = a_running_job(home)
    other = home.worker()
    terms = next(message.body for message in other.heard if isinstance(message.body, Ack))
    assert terms.terms is not None and terms.terms.worker == "w-2"
    assert home.state(job) == "running"


def test_a_worker_that_leaves_gives_back_what_it_had(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    worker.about(Opcode.STOPPED, Stopped(), job)
    worker.beat(free=0, leaving=True)
    assert (home.state(job), home.job(job).failures) == ("queued", 0)
    assert home.worker("other").orders[job].attempt == 2


def test_a_permitted_job_whose_worker_is_lost_is_rolled_forward(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    permit = the(Permit, worker.seal(job))
    home.step(16)
    assert [list(action.entries) for action in home.promoted] == [permit.entries]
    assert home.state(job) == "completed"
    worker.identify()
    the(Ack, worker.about(Opcode.CONCLUDE, Conclude(), job))
    assert recorded(home) == 1


def test_what_a_sink_refuses_stays_committing_and_is_tried_again_at_the_end_and_later(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    worker.seal(job)
    home.refuses = SinkUnavailable("the disk went away", why="pulled out")
    the(Ack, worker.about(Opcode.ERR, AWAY, job))
    assert (home.state(job), home.job(job).error_why) == ("committing", "pulled out")
    assert home.core.is_over(home.plan)
    home.refuses = None
    home.step(31)
    assert home.state(job) == "completed"


# --- failures ---------------------------------------------------------------------------------------------------


def test_a_transient_failure_is_tried_again_after_a_pause(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    the(Ack, worker.about(Opcode.ERR, AWAY, job))
    assert home.state(job) == "queued"
    worker.beat()
    assert worker.orders[job].attempt == 1
    home.step(4.1)
    worker.beat()
    assert worker.orders[job].attempt == 2


def test_the_words_of_a_failure_do_not_decide_whether_it_passes(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    worker.about(Opcode.ERR, Err(code="parser-raised", message="temporary: connection timed out, retry"), job)
    assert home.state(job) == "failed"


def test_a_parser_that_fails_five_times_in_a_row_is_paused(home: SentinelHome) -> None:
    parser = home.add_parser("bad")
    jobs = home.submit(7, parser=parser)
    worker = home.worker(slots=1)
    waiting = home.submit(2, parser=parser)
    for job in jobs[:5]:
        worker.about(Opcode.ERR, CRASHED, job)
    assert {home.job(job).error_code for job in waiting} == {"parser-paused"}
    assert {home.state(job) for job in waiting} == {"rejected"}
    assert [home.state(job) for job in jobs[5:]] == ["dispatched", "dispatched"]


def test_a_success_in_between_forgets_the_failures(home: SentinelHome) -> None:
    parser = home.add_parser("shaky")
    jobs = home.submit(9, parser=parser)
    worker = home.worker()
    for at, job in enumerate(jobs[:8]):
        if at == 4:
            worker.seal(job)
            worker.about(Opcode.CONCLUDE, Conclude(), job)
        else:
            worker.about(Opcode.ERR, CRASHED, job)
    with home.past.database.transaction() as connection:
        row = connection.execute(select(tables.parsers).where(tables.parsers.c.id == parser)).one()
    assert (row.failures, row.paused_at_ns) == (3, None)


def test_over_tolerance_ends_the_job_and_tells_the_worker_to_discard(home: SentinelHome) -> None:
    job, worker = a_running_job(home, policy=Policy(tolerance=0.1))
    assert the(Abort, worker.seal(job, rows=1, quarantined=1)).code == "over-tolerance"
    assert home.state(job) == "failed"
    the(Ack, worker.about(Opcode.STOPPED, Stopped(), job))


# --- cancel -----------------------------------------------------------------------------------------------------


def test_a_queued_job_is_aborted_at_once(home: SentinelHome) -> None:
    [job] = home.submit()
    outcome = home.core.cancel(job, home.now_ns)
    assert (outcome.is_cancelled, home.state(job)) == (True, "aborted")
    home.step()
    assert home.core.is_over(home.plan)


def test_a_running_job_is_aborted_when_nothing_of_it_runs_any_more(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    assert home.core.cancel(job, home.now_ns).is_cancelled
    home.step()
    assert the(Abort, worker.take()).code == "cancelled"
    assert home.state(job) == "running"
    home.step(1.1)
    the(Abort, worker.take())
    the(Ack, worker.about(Opcode.STOPPED, Stopped(), job))
    assert home.state(job) == "aborted"


def test_a_cancelled_job_never_gets_its_permit(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    home.core.cancel(job, home.now_ns)
    assert [body for body in worker.seal(job) if isinstance(body, Permit)] == []
    worker.about(Opcode.STOPPED, Stopped(), job)
    assert home.state(job) == "aborted"


def test_a_cancelled_job_is_aborted_when_its_worker_stays_silent(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    home.core.cancel(job, home.now_ns)
    home.step(16)
    assert home.state(job) == "aborted"
    worker.identify()
    the(Abort, worker.seal(job))


def test_a_permitted_job_cannot_be_cancelled(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    worker.seal(job)
    outcome = home.core.cancel(job, home.now_ns)
    assert (outcome.is_cancelled, outcome.state) == (False, "committing")
    worker.about(Opcode.CONCLUDE, Conclude(), job)
    outcome = home.core.cancel(job, home.now_ns)
    assert (outcome.is_cancelled, outcome.state) == (False, "completed")


def test_a_job_that_does_not_exist_cannot_be_cancelled(home: SentinelHome) -> None:
    with pytest.raises(NotFound):
        home.core.cancel(1, home.now_ns)


# --- replacing --------------------------------------------------------------------------------------------------


def test_jobs_that_replace_land_together_when_the_last_one_is_over(home: SentinelHome) -> None:
    jobs = home.submit(2, routes=REPLACING)
    worker = home.worker()
    the(Ack, worker.seal(jobs[0]))
    the(Ack, worker.seal(jobs[0]))
    assert home.promoted == []
    the(Err, worker.about(Opcode.CONCLUDE, Conclude(), jobs[0]))
    assert home.state(jobs[0]) == "running"
    worker.seal(jobs[1])
    assert [home.state(job) for job in jobs] == ["completed", "completed"]
    assert [action.jobs for action in home.promoted] == [frozenset(jobs)]
    assert home.core.is_over(home.plan)


def test_a_held_job_that_is_cancelled_leaves_nothing(home: SentinelHome) -> None:
    jobs = home.submit(2, routes=REPLACING)
    worker = home.worker()
    worker.seal(jobs[0])
    assert home.core.cancel(jobs[0], home.now_ns).state == "aborted"
    worker.seal(jobs[1])
    assert [home.state(job) for job in jobs] == ["aborted", "completed"]
    assert [action.job for action in home.discarded] == [jobs[0]]


def test_held_jobs_outlive_their_sentinel(home: SentinelHome) -> None:
    jobs = home.submit(2, routes=REPLACING)
    worker = home.worker()
    worker.seal(jobs[0])
    home.start()
    the(Reload, worker.beat())
    worker.identify([Holding(job=jobs[1], attempt=1, phase=JobPhase.PARSING)])
    worker.seal(jobs[1])
    assert [home.state(job) for job in jobs] == ["completed", "completed"]
    assert [action.jobs for action in home.promoted] == [frozenset(jobs)]


# --- first contact ----------------------------------------------------------------------------------------------


@pytest.fixture
def new_table(tmp_path: Path) -> Iterator[SentinelHome]:
    with sentinel_home(tmp_path / "home", with_contract=False) as made:
        yield made


def test_surveyed_jobs_are_cast_by_the_worker_that_has_their_rows(new_table: SentinelHome) -> None:
    home = new_table
    one, two = home.worker("one"), home.worker("two")
    jobs = home.submit(2)
    one.take(), two.take()
    [first], [second] = one.orders, two.orders
    the(Ack, one.survey(first))
    assert home.told("contract.adopted") == []
    two.survey(second)
    assert [values["table"] for values in home.told("contract.adopted")] == ["a"]
    for worker, job in ((one, first), (two, second)):
        worker.beat(worker.progress(job, JobPhase.SURVEYED))
        casts = [m.body.order for m in worker.heard if isinstance(m.body, Dispatch) and isinstance(m.body.order, Cast)]
        assert [each.job.job for cast in casts for each in cast.jobs] == [job]
        the(Permit, worker.seal(job))
    assert {home.state(job) for job in jobs} == {"committing"}


def test_what_a_lost_worker_surveyed_is_read_again_before_the_table_is_founded(new_table: SentinelHome) -> None:
    home = new_table
    one, two = home.worker("one"), home.worker("two")
    home.submit(2)
    one.take(), two.take()
    [first], [second] = one.orders, two.orders
    one.survey(first)
    for _ in range(3):
        home.step(7)
        two.at_work(second)
    assert home.state(first) == "queued"
    two.survey(second)
    assert home.told("contract.adopted") == []
    home.step(5)
    two.beat(two.progress(second, JobPhase.SURVEYED))
    assert two.orders[first].attempt == 2
    two.survey(first)
    assert [values["table"] for values in home.told("contract.adopted")] == ["a"]


def test_a_survey_is_made_again_after_a_restart(new_table: SentinelHome) -> None:
    home = new_table
    worker = home.worker()
    jobs = home.submit(2)
    worker.take()
    worker.survey(jobs[0])
    home.start()
    holding = [Holding(job=jobs[0], attempt=1, phase=JobPhase.SURVEYED)]
    worker.identify([*holding, Holding(job=jobs[1], attempt=1, phase=JobPhase.PARSING)])
    worker.beat(worker.progress(jobs[1]))
    assert worker.orders[jobs[0]].attempt == 2
    assert any(message.opcode is Opcode.ABORT and message.job == jobs[0] for message in worker.heard)


def test_first_contracts_that_wait_for_a_person_reject_their_jobs(new_table: SentinelHome) -> None:
    home = new_table
    [job] = home.submit(policy=Policy(holds_first_contracts=True))
    worker = home.worker()
    worker.survey(job)
    assert (home.state(job), home.job(job).error_message) == ("rejected", "a")
    worker.beat(worker.progress(job, JobPhase.SURVEYED))
    assert worker.heard[-1].opcode in (Opcode.ABORT, Opcode.HEARTBEAT)
    assert any(message.opcode is Opcode.ABORT and message.job == job for message in worker.heard)


# --- restarts ---------------------------------------------------------------------------------------------------


def test_after_a_restart_a_worker_goes_on_with_what_it_holds(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    home.start()
    the(Reload, worker.at_work(job))
    answers = worker.identify([Holding(job=job, attempt=1, phase=JobPhase.PARSING)])
    assert the(Ack, answers).terms is not None
    assert the(Ack, answers).terms.incarnation == home.incarnation  # type: ignore[union-attr]
    for _ in range(3):
        home.step(10)
        worker.at_work(job)
    the(Permit, worker.seal(job))
    worker.about(Opcode.CONCLUDE, Conclude(), job)
    assert home.core.is_over(home.plan)


def test_after_a_restart_what_nobody_names_is_given_out_again(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    home.start()
    worker.identify()
    home.step(14)
    assert home.state(job) == "running"
    home.step(2)
    assert (home.state(job), home.job(job).failures) == ("queued", 1)


def test_after_a_restart_what_was_permitted_is_rolled_forward(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    worker.seal(job)
    home.start()
    home.step()
    assert home.state(job) == "completed"
    worker.identify([Holding(job=job, attempt=1, phase=JobPhase.PROMOTING)])
    the(Ack, worker.about(Opcode.CONCLUDE, Conclude(), job))
    assert recorded(home) == 1
    assert home.core.is_over(home.plan)


def test_a_cancel_that_was_asked_for_before_a_restart_still_wins(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    home.core.cancel(job, home.now_ns)
    home.start()
    worker.identify([Holding(job=job, attempt=1, phase=JobPhase.SEALED)])
    assert [body for body in worker.seal(job) if isinstance(body, Permit)] == []
    worker.about(Opcode.STOPPED, Stopped(), job)
    assert home.state(job) == "aborted"


def test_a_sentinel_that_was_superseded_changes_nothing_any_more(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    home.past.database.incarnation = None
    with home.past.database.transaction() as connection:
        meta.next_incarnation(connection)
    home.past.database.incarnation = home.incarnation
    with pytest.raises(SentinelSuperseded):
        worker.seal(job)
    home.past.database.incarnation = None
    assert home.state(job) == "running"


# --- whom to give what ------------------------------------------------------------------------------------------


def test_a_worker_gets_only_what_it_may_run(home: SentinelHome) -> None:
    home.submit(parser=home.add_parser("theirs"))
    assert home.worker(parsers=["others"]).orders == {}
    assert home.worker("able", parsers=["theirs"]).orders != {}


def test_a_worker_gets_only_what_it_can_see(home: SentinelHome) -> None:
    home.submit()
    assert home.worker(labels={"root": "/elsewhere"}).orders == {}
    assert home.worker("near", labels={"root": f"/evidence{home.plan}"}).orders != {}


def test_a_draining_worker_gets_nothing_more_and_finishes_what_it_has(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    assert home.core.drain("w")
    [other] = home.submit()
    worker.beat(worker.progress(job), free=1)
    assert other not in worker.orders
    the(Permit, worker.seal(job))
    assert not home.core.drain("nobody")


def test_a_removed_worker_is_not_heard_any_more(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    assert home.core.remove("w", home.now_ns)
    assert the(Err, worker.seal(job)).code == "worker-removed"
    assert (home.state(job), home.job(job).failures) == ("queued", 0)
    assert not home.core.remove("w", home.now_ns)


def test_no_job_starves_behind_jobs_of_higher_priority(home: SentinelHome) -> None:
    own = home.add_parser("own", origin="local")
    [old] = home.submit(parser=own, priority=10)
    home.submit(20, parser=own, priority=100)
    worker = home.worker(slots=8)
    worker.take()
    assert old in worker.orders


def test_two_runs_share_the_workers(home: SentinelHome) -> None:
    [first] = home.submit()
    one = home.plan
    [second] = home.submit()
    worker = home.worker(slots=2)
    worker.take()
    for job in (first, second):
        worker.seal(job)
        worker.about(Opcode.CONCLUDE, Conclude(), job)
    assert home.core.is_over(one) and home.core.is_over(home.plan)


# --- hostile peers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad-header"),
        (b"\x00" * 16, "unknown-version"),
        (HEADER.pack(VERSION, 99, 0, 0, 0), "unknown-opcode"),
        (HEADER.pack(VERSION, Opcode.SEALED, 0, 7, 2) + b"{}", "bad-payload"),
        (HEADER.pack(VERSION, Opcode.PERMIT, 0, 7, 2) + b"{}", "unknown-opcode"),
        (HEADER.pack(VERSION, Opcode.SEALED, 0, 7, 3) + b"{}", "bad-header"),
    ],
)
def test_bytes_that_are_no_message_are_answered_with_a_reason(home: SentinelHome, data: bytes, code: str) -> None:
    home.core.receive(b"peer", data, home.now_ns)
    [(peer, answer)] = home.core.take_outgoing()
    error = from_sentinel(bytes([VERSION]) + answer[1:])  # it is said in the version of the message
    assert (peer, error.opcode) == (b"peer", Opcode.ERR)
    assert error.body.code == code  # type: ignore[attr-defined]


def test_an_error_is_never_answered_with_an_error(home: SentinelHome) -> None:
    home.core.receive(b"peer", HEADER.pack(VERSION, Opcode.ERR, 0, 0, 2) + b"{}", home.now_ns)
    assert home.core.take_outgoing() == []


def test_a_worker_that_speaks_of_the_jobs_of_another_changes_nothing(home: SentinelHome) -> None:
    job, _owner = a_running_job(home)
    liar = home.worker("liar")
    assert the(Abort, liar.seal(job, 1)).code == "fenced"
    liar.about(Opcode.ERR, CRASHED, job, 1)
    liar.about(Opcode.STOPPED, Stopped(), job, 1)
    the(Err, liar.about(Opcode.CONCLUDE, Conclude(), job, 1))
    liar.say(Opcode.SEALED, Seal(outcome=surveyed_as(job)), job, 1)
    assert home.state(job) == "running"
    assert home.job(job).failures == 0


def test_a_conclusion_without_a_permit_changes_nothing(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    the(Err, worker.about(Opcode.CONCLUDE, Conclude(), job))
    assert home.state(job) == "running"
    the(Err, worker.say(Opcode.CONCLUDE, Conclude(), 12345, 1))


def test_a_receipt_that_names_the_files_of_another_attempt_is_refused(home: SentinelHome) -> None:
    job, worker = a_running_job(home)
    assert the(Abort, worker.seal(job, owner=job + 1)).code == "invariant-broken"
    assert home.state(job) == "failed"


def test_a_peer_that_never_identified_itself_is_asked_to(home: SentinelHome) -> None:
    stranger = ScriptedWorker(home, "x", "stranger", 1)
    the(Reload, stranger.beat())


def test_a_deployment_is_answered_that_it_is_not_supported(home: SentinelHome) -> None:
    body = Deploy(name="p", version="1", artifact_hash="blake3:0", env_hash="blake3:0", files={})
    assert the(Err, home.worker().say(Opcode.DEPLOY, body)).code == "not-supported"


# --- time -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_was_set_takes_nothing_from_anybody(home: SentinelHome, hours: int) -> None:
    job, worker = a_running_job(home)
    leap = hours * 3600 * 10**9
    home.now_ns += leap
    home.core.leapt(leap)
    home.step(14)
    assert home.state(job) == "running"
    worker.at_work(job)
    home.step(14)
    assert (home.state(job), home.job(job).failures) == ("running", 0)
    home.step(2)
    assert (home.state(job), home.job(job).failures) == ("queued", 1)


def test_a_worker_that_gives_everything_back_is_not_asked_for_ever(
    home: SentinelHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "RETURNS", 20)
    [job] = home.submit()
    worker = home.worker()
    for _ in range(50):
        if home.job(job).failures:
            break
        worker.about(Opcode.STOPPED, Stopped(), job)
        worker.beat()
    assert home.job(job).failures == 1


def test_workers_of_one_name_leave_it_to_each_other(home: SentinelHome) -> None:
    home.worker("w")
    second = home.worker("w")
    second.beat(leaving=True)
    home.worker("w")
    joined = [values["worker"] for values in home.told("worker.joined")]
    assert joined == ["w", "w-2", "w-2"]


def test_a_worker_of_another_version_is_refused_in_words_that_it_understands(home: SentinelHome) -> None:
    """Its IDENTIFY is not taken for one of ours; the answer has its version, and the number that it waits for."""
    payload = b'{"session":"old","seq":3,"attempt":0,"body":{"worker":"old","speaks":"as it did"}}'
    home.core.receive(b"old", HEADER.pack(VERSION - 1, Opcode.IDENTIFY, 0, 0, len(payload)) + payload, home.now_ns)
    [(peer, data)] = home.core.take_outgoing()
    assert (peer, data[0]) == (b"old", VERSION - 1)
    refusal = from_sentinel(bytes([VERSION]) + data[1:]).body
    assert isinstance(refusal, Err)
    assert (refusal.code, refusal.of) == ("unknown-version", 3)
    assert home.core.count_workers() == 0
