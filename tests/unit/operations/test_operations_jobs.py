"""Jobs, quarantine groups, contracts and parsers as a person asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import NOW_NS, HomeBuilder
from casparian_flow.core.contracts import ContractState
from casparian_flow.core.errors import NotFound, UsageError, VerificationFailed
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.jobs import JobState
from casparian_flow.operations.contract.contracts import ListContracts, ShowContract
from casparian_flow.operations.doing.contract import contracts as contract
from casparian_flow.operations.doing.contract import shown
from casparian_flow.operations.doing.job import jobs
from casparian_flow.operations.doing.job import logs as job_logs
from casparian_flow.operations.doing.job import progress as job_progress
from casparian_flow.operations.doing.parser import parsers as parser
from casparian_flow.operations.doing.quarantine import causes as quarantine
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.job.jobs import ListJobs, ShowJob, ShowReceipt
from casparian_flow.operations.job.logs import ReadJobLogs
from casparian_flow.operations.job.progress import WatchJobs
from casparian_flow.operations.parser.parsers import ListParsers
from casparian_flow.operations.quarantine.causes import ListGroups
from casparian_flow.settings import Settings


def ask(past: HomeBuilder, function, request):
    with open_reading(past.home, Settings(), Path("/evidence")) as reading:
        return function(reading, request)


@pytest.fixture
def three(past: HomeBuilder) -> list[str]:
    location = past.location(past.source())
    version, csv, lines = past.version(location), past.parser(), past.parser("lines")
    return [
        str(past.job(location, version, csv, "failed", error_code="parser-raised")),
        str(past.job(location, version, lines, queued_at_ns=NOW_NS - 10**18)),
        str(past.job(location, version, csv, receipt='{"seconds": 1.5}')),
    ]


def test_jobs_are_listed_newest_first_in_pages(past, three):
    first = ask(past, jobs.list_, ListJobs(limit=2))
    second = ask(past, jobs.list_, ListJobs(limit=2, after=first.next_cursor))
    assert [each.job for each in (*first.jobs, *second.jobs)] == three[::-1]
    assert second.next_cursor is None


def test_jobs_are_chosen_by_state_parser_file_and_time(past, three):
    def found(**wanted):
        return [each.job for each in ask(past, jobs.list_, ListJobs(**wanted)).jobs]

    assert found(states=(JobState.FAILED,)) == [three[0]]
    assert found(parser="lines") == [three[1]]
    assert found(since="2026-01-01") == [three[2], three[0]]
    assert found(file="a.csv") == three[::-1]
    with pytest.raises(NotFound):
        found(file="b.csv")


def test_a_job_is_named_by_number_beginning_or_place(past, three):
    for name, job in [("@last", three[2]), ("@-0", three[2]), ("@-2", three[0]), (three[1], three[1])]:
        assert ask(past, jobs.show, ShowJob(job=name)).job.job == job
    assert ask(past, jobs.show, ShowJob(job="@last")).receipt == {"seconds": 1.5}
    with pytest.raises(UsageError):
        ask(past, jobs.show, ShowJob(job=three[0][:-1]))
    for absent in ("@-3", "4", "999"):
        with pytest.raises(NotFound):
            ask(past, jobs.show, ShowJob(job=absent))
    for wrong in ("@first", "", "1" * 20, "١", "%"):
        with pytest.raises(UsageError):
            ask(past, jobs.show, ShowJob(job=wrong))


def test_a_job_shows_what_it_brought(past, three):
    job = int(three[2])
    past.rows(job, accepted=7, quarantined=3)
    past.quarantine(job, 3)
    detail = ask(past, jobs.show, ShowJob(job="@last"))
    assert (detail.job.accepted, detail.job.quarantined) == (7, 3)
    assert [output.table for output in detail.outputs] == ["sales"]
    assert [(group.code, group.rows) for group in detail.groups] == [("cf.cast", 3)]


def test_logs_are_the_last_lines_in_the_order_written(past, three):
    for line in range(5):
        past.log(int(three[0]), line, f"line {line}")
    found = ask(past, job_logs.logs, ReadJobLogs(job=three[0], lines=2)).lines
    assert [each.text for each in found] == ["line 3", "line 4"]


def test_a_log_is_followed_by_the_place_behind_the_last_line_until_the_job_is_quiet(past, three):
    def after(place: str | None, lines: int = 1000):
        return ask(past, job_logs.logs, ReadJobLogs(job=job, after=place, lines=lines))

    location = past.location(past.source(b"/other"))
    job = str(past.job(location, past.version(location), past.parser("own"), "running", attempt=2))
    past.log(int(job), 0, "first")
    first = after(None)
    assert ([each.text for each in first.lines], first.next, first.is_over) == (["first"], "1.0", False)
    for line in range(1, 4):
        past.log(int(job), line, f"line {line}")
    page = after(first.next, lines=2)
    assert ([each.text for each in page.lines], page.next) == (["line 1", "line 2"], "1.2")
    past.database.driver.execute("UPDATE cf_jobs SET state = 'completed', finished_at_ns = 1 WHERE id = ?", (int(job),))
    past.database.driver.commit()
    last = after(page.next)
    assert ([each.text for each in last.lines], last.next, last.is_over) == (["line 3"], "1.3", True)
    assert after(last.next).lines == []
    for wrong in ("", "1", "1.-1", "a.b", "1.1; --"):
        with pytest.raises(UsageError):
            after(wrong)


def test_what_a_worker_said_of_an_attempt_is_a_stream_of_its_own(past, three):
    past.log(int(three[0]), 0, "printed", "stdout")
    past.log(int(three[0]), 1 << 30, "w1: parser-raised: boom", "worker")

    def texts(stream):
        return [each.text for each in ask(past, job_logs.logs, ReadJobLogs(job=three[0], stream=stream)).lines]

    assert (texts("guest"), texts("worker"), len(texts(None))) == (["printed"], ["w1: parser-raised: boom"], 2)
    assert [each.ended for each in ask(past, jobs.show, ShowJob(job=three[0])).attempts] == texts("worker")


def test_a_job_at_work_shows_its_phase_and_how_far_it_is_and_a_version_that_moves_with_it(past, three):
    location = past.location(past.source(b"/other"))
    version = past.version(location, b"other")
    changes = {"phase": "parsing", "rows_read": 12, "bytes_read": 34, "worker": "w1", "silent_since_ns": NOW_NS}
    job = past.job(location, version, past.parser("own", failures=2), "running", **changes)
    detail = ask(past, jobs.show, ShowJob(job=str(job)))
    assert (detail.job.phase, detail.job.rows_read, detail.job.worker) == ("parsing", 12, "w1")
    assert (detail.job.version, detail.silent_since is None, detail.breaker.failures) == ("1-running", False, 2)
    past.database.driver.execute("UPDATE cf_jobs SET cancel_requested = 1 WHERE id = ?", (job,))
    past.database.driver.commit()
    assert ask(past, jobs.show, ShowJob(job=str(job))).job.version == "1-running-cancelled"


def test_a_receipt_is_given_whole_or_its_absence_explained(past, three):
    assert ask(past, jobs.receipt, ShowReceipt(job="@last")).receipt == {"seconds": 1.5}
    with pytest.raises(NotFound) as caught:
        ask(past, jobs.receipt, ShowReceipt(job=three[0]))
    assert "failed" in caught.value.why


def test_dead_letters_are_those_that_nothing_was_tried_for_since(past, three):
    source = past.source(b"/other")
    letters = []
    for name in ("dead.csv", "replayed.csv"):
        location = past.location(source, name)
        version = past.version(location, name.encode())
        letters.append(past.job(location, version, past.parser(name), "failed", error_code="gave-up"))
    past.job(location, version, past.parser("newer"), "queued")
    assert [each.job for each in ask(past, jobs.list_, ListJobs(dead=True)).jobs] == [str(letters[0])]


def test_watching_counts_from_the_oldest_open_job_on_until_all_are_over(past, three):
    assert ask(past, job_progress.watch, WatchJobs()).is_over
    location = past.location(past.source(b"/other"))
    version, own = past.version(location, b"other"), past.parser("own")
    first = past.job(location, version, own, "running", rows_read=5, phase="parsing")
    past.job(location, version, own, "queued")
    seen = ask(past, job_progress.watch, WatchJobs())
    assert (seen.oldest, seen.states, seen.rows_read) == (str(first), {"queued": 1, "running": 1}, 5)
    assert [each.job for each in seen.at_work] == [str(first)]
    past.database.driver.execute("UPDATE cf_jobs SET state = 'failed' WHERE id >= ?", (first,))
    past.database.driver.commit()
    over = ask(past, job_progress.watch, WatchJobs(oldest=seen.oldest))
    assert (over.is_over, over.states) == (True, {"failed": 2})


def test_quarantine_is_one_line_per_cause_over_all_files(past):
    source, csv = past.source(), past.parser()
    for number in range(3):
        location = past.location(source, f"{number}.csv")
        job = past.job(location, past.version(location, b"%d" % number), csv)
        past.quarantine(job, 10 + number)
        past.quarantine(job, 1, code="cf.null")
        past.quarantine(job, 100, is_current=False)
        past.quarantine(job, 100, state="waived", code="cf.waived")
    reply = ask(past, quarantine.list_, ListGroups())
    assert [(group.code, group.rows, group.files) for group in reply.groups] == [("cf.cast", 33, 3), ("cf.null", 3, 3)]
    assert reply.rows == 36
    assert len({group.group for group in reply.groups}) == 2
    assert len(ask(past, quarantine.list_, ListGroups(code="cf.null")).groups) == 1
    assert ask(past, quarantine.list_, ListGroups(table="other")).groups == []


def test_contracts_are_listed_while_they_live_and_shown_by_table_or_number(past):
    past.contract(version=1, state="superseded")
    applied = past.contract(version=2)
    proposed = past.contract(version=3, state="proposed")
    assert [each.id for each in ask(past, contract.list_, ListContracts()).contracts] == [proposed, applied]
    old = ask(past, contract.list_, ListContracts(states=(ContractState.SUPERSEDED,)))
    assert [each.version for each in old.contracts] == [1]
    assert ask(past, shown.show, ShowContract(contract="sales")).contract.id == applied
    assert ask(past, shown.show, ShowContract(contract="sales", version=1)).contract.version == 1
    detail = ask(past, shown.show, ShowContract(contract=str(proposed)))
    assert [(field.name, field.type, field.nullable) for field in detail.fields] == [
        ("id", "int64", False),
        ("amount", "decimal(9,2)", True),
    ]
    for absent in (ShowContract(contract="x"), ShowContract(contract="9"), ShowContract(contract="sales", version=9)):
        with pytest.raises(NotFound):
            ask(past, shown.show, absent)


def test_a_contract_that_cannot_be_read_back_is_reported(past):
    past.contract(body='{"columns": 3}')
    with pytest.raises(VerificationFailed):
        ask(past, shown.show, ShowContract(contract="sales"))


def test_parsers_show_their_newest_artifact_unless_all_are_asked_for(past):
    past.parser("csv")
    past.parser("csv", version="2.0.0", artifact_hash=digest_of(b"2"), registered_at_ns=NOW_NS + 1)
    past.parser("own", status="pending")
    newest = {each.name: (each.version, each.status) for each in ask(past, parser.list_, ListParsers()).parsers}
    assert newest["csv"] == ("2.0.0", "active")
    assert newest["own"] == ("1.0.0", "pending")
    every = [each.name for each in ask(past, parser.list_, ListParsers(versions=True)).parsers]
    assert (every.count("csv"), every.count("own")) == (2, 1)
