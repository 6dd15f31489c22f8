"""Retries: what is done again, under which number, and what is refused and why."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builders import NOW_NS, HomeBuilder, StoreActing
from casparian_flow.core.errors import NotFound, UsageError, VersionChanged
from casparian_flow.operations.doing.job import retry as job_retry
from casparian_flow.operations.job.retry import PrioritiseJob, RetryJobs
from casparian_flow.publish.artifact import artifact_hash
from casparian_flow.store import job_changes
from casparian_flow.store import jobs as job_store


@dataclass
class Service:
    """Takes up runs and does nothing, as a service whose workers are all busy."""

    past: HomeBuilder
    outlives_asker: bool = True
    submitted: list[int] = field(default_factory=list)

    def submit(self, plan: int, workers: int) -> None:
        self.submitted.append(plan)

    def hurry(self, job: int) -> bool:
        with self.past.database.transaction() as connection:
            return job_changes.hurry(connection, job, NOW_NS)

    def set_priority(self, job: int, priority: int) -> bool:
        with self.past.database.transaction() as connection:
            return job_store.prioritise(connection, job, priority)


@pytest.fixture
def acting(past: HomeBuilder) -> StoreActing:
    return StoreActing(past.database, Path("/evidence"), past.home, execution=Service(past))


@pytest.fixture
def parser(past: HomeBuilder, tmp_path: Path) -> int:
    file = tmp_path / "own.py"
    file.write_text("def parse(path): yield 'rows', []\n")
    return past.parser("own", path=str(file), artifact_hash=artifact_hash(file))


def a_file(past: HomeBuilder, name: str = "a.csv", **changes) -> tuple[int, int]:
    location = past.location(past.source(f"/{name}".encode()), name, **changes)
    return location, past.version(location, name.encode())


def row(past: HomeBuilder, job: int):
    found = past.database.driver.execute("SELECT * FROM cf_jobs WHERE id = ?", (job,))
    return dict(zip([each[0] for each in found.description], found.fetchone(), strict=True))


@pytest.mark.parametrize(
    ("state", "reason"), [("failed", "previous_failed"), ("aborted", "forced"), ("rejected", "forced")]
)
def test_what_ended_stays_ended_and_a_new_job_does_the_same(past, acting, parser, state, reason):
    old = past.job(*a_file(past), parser, state, config='{"x": "1"}', base_table="t", priority=50, attempt=4)
    before = row(past, old)
    (answer,) = job_retry.retry(acting, RetryJobs(jobs=(str(old),))).retried
    assert (answer.outcome, answer.state, row(past, old)) == ("queued", "queued", before)
    new = row(past, int(answer.now))
    same = ("version_id", "source_hash", "parser_id", "config", "config_hash", "routes", "base_table", "priority")
    assert {name: new[name] for name in same} == {name: before[name] for name in same}
    assert (new["attempt"], new["reason"]) == (0, reason)
    assert acting.execution.submitted == [new["plan_id"]] and new["plan_id"] != before["plan_id"]


def test_the_new_jobs_keep_the_policy_of_their_run(past, acting, parser):
    driver = past.database.driver
    for plan, tolerance in ((7, 0.5), (8, 0.25)):
        values = (plan, json.dumps({"tolerance": tolerance}), "x", 1)
        driver.execute("INSERT INTO cf_runs (plan_id, policy, actor, submitted_at_ns) VALUES (?, ?, ?, ?)", values)
    driver.commit()
    old = [
        past.job(*a_file(past, f"{number}.csv"), parser, "failed", plan_id=plan)
        for number, plan in enumerate((7, 8, 7))
    ]
    job_retry.retry(acting, RetryJobs(jobs=tuple(map(str, old))))
    found = driver.execute(
        "SELECT r.policy, count(*) FROM cf_runs r JOIN cf_jobs j USING (plan_id) WHERE r.finished_at_ns IS NULL"
        " AND r.plan_id > 8 GROUP BY r.plan_id ORDER BY 2"
    ).fetchall()
    assert [(json.loads(policy)["tolerance"], jobs) for policy, jobs in found] == [(0.25, 1), (0.5, 2)]


def test_a_job_in_a_pause_has_its_turn_at_once(past, acting, parser):
    job = past.job(*a_file(past), parser, "queued", not_before_ns=NOW_NS + 10**12)
    (answer,) = job_retry.retry(acting, RetryJobs(jobs=(str(job),))).retried
    assert (answer.outcome, answer.now, row(past, job)["not_before_ns"]) == ("hurried", None, 0)
    assert "queued" in job_retry.retry(acting, RetryJobs(jobs=(str(job),))).retried[0].says


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        ("UPDATE cf_jobs SET state = 'completed'", "completed"),
        ("UPDATE cf_jobs SET state = 'running'", "running"),
        ("UPDATE scout_locations SET is_missing = 1", "gone"),
        ("UPDATE scout_locations SET is_dirty = 1, mtime_ns = 1", "other bytes"),
        ("UPDATE scout_locations SET current_version_id = 99", "other bytes"),
        ("UPDATE cf_parsers SET artifact_hash = 'blake3:0'", "not what it was"),
        ("UPDATE cf_parsers SET path = '/nowhere'", "not what it was"),
        ("UPDATE cf_parsers SET paused_at_ns = 1", "parser resume own"),
    ],
)
def test_what_cannot_be_done_again_is_refused_with_its_reason_and_does_not_stop_the_others(
    past, acting, parser, tmp_path, break_it, says
):
    other = tmp_path / "other.py"
    other.write_text("def parse(path): yield 'rows', []\n")
    past.database.driver.execute("PRAGMA foreign_keys = OFF")
    broken = past.job(*a_file(past), parser, "failed")
    past.database.driver.execute(break_it)
    past.database.driver.commit()
    good_parser = past.parser("other", path=str(other), artifact_hash=artifact_hash(other))
    good = past.job(*a_file(past, "good.csv"), good_parser, "failed")
    refused, queued = job_retry.retry(acting, RetryJobs(jobs=(str(broken), str(good)))).retried
    assert (refused.outcome, refused.now, queued.outcome) == ("refused", None, "queued")
    assert says in refused.says


def test_the_same_is_never_done_twice(past, acting, parser):
    file = a_file(past)
    jobs = tuple(str(past.job(*file, parser, "failed")) for _ in range(2))
    first, second = job_retry.retry(acting, RetryJobs(jobs=jobs)).retried
    assert (first.outcome, second.outcome) == ("queued", "refused")
    (again,) = job_retry.retry(acting, RetryJobs(jobs=jobs[:1])).retried
    assert again.outcome == "refused" and first.now in again.says


def test_nothing_is_done_when_a_job_is_unknown_or_has_moved_since_it_was_seen(past, acting, parser):
    job = str(past.job(*a_file(past), parser, "failed"))
    for error, request in [
        (NotFound, RetryJobs(jobs=(job, "999"))),
        (VersionChanged, RetryJobs(jobs=(job,), if_version="1-running")),
        (UsageError, RetryJobs(jobs=(job, job), if_version="1-failed")),
    ]:
        with pytest.raises(error):
            job_retry.retry(acting, request)
    assert acting.execution.submitted == []
    assert job_retry.retry(acting, RetryJobs(jobs=(job,), if_version="1-failed")).retried[0].outcome == "queued"


def test_a_priority_changes_while_the_job_is_queued_and_the_answer_says_so(past, acting, parser):
    job = past.job(*a_file(past), parser, "queued")
    assert job_retry.prioritise(acting, PrioritiseJob(job=str(job), priority=500)).is_queued
    assert row(past, job)["priority"] == 500
    past.database.driver.execute("UPDATE cf_jobs SET state = 'running'")
    past.database.driver.commit()
    late = job_retry.prioritise(acting, PrioritiseJob(job=str(job), priority=1))
    assert (late.is_queued, late.state, late.priority) == (False, "running", 500)
