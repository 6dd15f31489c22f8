"""Cancelling: each answer says which side won, and nothing is done about what moved since it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builders import HomeBuilder, StoreActing
from casparian_flow.core.errors import NotFound, VersionChanged
from casparian_flow.core.jobs import JobState
from casparian_flow.operations.doing.job import cancel as job_cancel
from casparian_flow.operations.job.cancel import CancelJobs
from casparian_flow.sentinel.runs import CancelOutcome


@dataclass
class Service:
    """Answers for each job what it was given to answer, in order, the last one for ever."""

    outcomes: dict[int, list[tuple[JobState, bool]]]
    asked: list[tuple[int, bool]] = field(default_factory=list)

    def cancel(self, job: int, wait_seconds: float) -> CancelOutcome:
        self.asked.append((job, wait_seconds > 0))
        left = self.outcomes[job]
        state, is_cancelled = left.pop(0) if len(left) > 1 else left[0]
        return CancelOutcome(state=state, is_cancelled=is_cancelled)


@pytest.fixture
def jobs(past: HomeBuilder) -> dict[str, int]:
    location = past.location(past.source())
    version, csv = past.version(location), past.parser()
    return {state.value: past.job(location, version, csv, state.value) for state in (*JobState, JobState.RUNNING)}


def cancel(past: HomeBuilder, service: Service, *named: int, **wanted):
    acting = StoreActing(past.database, Path("/"), past.home, execution=service)
    reply = job_cancel.cancel(acting, CancelJobs(jobs=tuple(map(str, named)), **wanted))
    return [(each.job, each.outcome, each.state) for each in reply.cancelled]


@pytest.mark.parametrize(
    ("seen", "state", "is_cancelled", "outcome"),
    [
        ("queued", JobState.ABORTED, True, "aborted"),
        ("running", JobState.RUNNING, True, "stopping"),
        ("dispatched", JobState.DISPATCHED, True, "stopping"),
        ("committing", JobState.COMMITTING, False, "too-late"),
        ("running", JobState.COMPLETED, False, "already-over"),
    ],
)
def test_the_answer_says_which_side_won(past, jobs, seen, state, is_cancelled, outcome):
    service = Service({jobs[seen]: [(state, is_cancelled)]})
    assert cancel(past, service, jobs[seen]) == [(str(jobs[seen]), outcome, state)]


@pytest.mark.parametrize("seen", ["completed", "failed", "aborted", "rejected"])
def test_what_was_over_before_is_never_said_to_be_cancelled_now(past, jobs, seen):
    service = Service({jobs[seen]: [(JobState.ABORTED, True)]})
    assert cancel(past, service, jobs[seen]) == [(str(jobs[seen]), "already-over", seen)]


def test_all_jobs_are_told_to_stop_before_the_first_is_waited_for(past, jobs):
    running, queued = jobs["running"], jobs["queued"]
    service = Service(
        {running: [(JobState.RUNNING, True), (JobState.ABORTED, True)], queued: [(JobState.ABORTED, True)]}
    )
    found = cancel(past, service, running, queued, wait_seconds=5.0)
    assert [outcome for _, outcome, _ in found] == ["aborted", "aborted"]
    assert service.asked == [(running, False), (queued, False), (running, True)]


def test_nothing_is_cancelled_when_one_is_unknown_or_moved_since_it_was_seen(past, jobs):
    service = Service({jobs["running"]: [(JobState.RUNNING, True)]})
    with pytest.raises(NotFound):
        cancel(past, service, jobs["running"], 9)
    with pytest.raises(VersionChanged):
        cancel(past, service, jobs["running"], if_version="1-queued")
    assert service.asked == []
    assert cancel(past, service, jobs["running"], if_version="1-running")[0][1] == "stopping"


def test_trying_it_says_what_would_come_of_it_and_stops_nothing(past, jobs):
    service = Service({})
    states = ("queued", "running", "committing", "completed")
    found = cancel(past, service, *(jobs[state] for state in states), dry_run=True)
    assert [(outcome, state.value) for _, outcome, state in found] == list(
        zip(("aborted", "stopping", "too-late", "already-over"), states, strict=True)
    )
    assert service.asked == []
