"""Small jobs of one order land together: when their group is closed, and who is not in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import Role
from casparian_flow.sentinel.queue.pace import GROUP_FILES
from casparian_flow.sinks import lineage
from casparian_flow.worker import channel, job_run, seal, settle, together
from casparian_flow.worker.actions import Fenced
from casparian_flow.worker.events import Batch, Event, Quiet, RejectedRecord
from casparian_flow.worker.turns import Turns
from landing_groups import MadeUp, land_all

CONTRACT = Contract("events", 1, (ContractColumn("id", "int64"),))
KNOWN = {"events": CONTRACT}
TEXT = pa.schema({"id": pa.string()})


def a_file(*ids: str, changes: bool = False) -> MadeUp:
    def events(job: int) -> list[Event]:
        batch = pa.record_batch({"id": pa.array(ids, pa.string())})
        return [Batch(job, "events", batch, None, None, None, batch.nbytes)]

    return MadeUp(b"", events, len(ids), changes)


def files(count: int) -> dict[int, MadeUp]:
    return {job: a_file(str(job)) for job in range(1, count + 1)}


def groups(landed: Any) -> list[list[int]]:
    return [[each.job for each in sealed.jobs] for sealed in landed.sealed]


def a_run(size: int) -> Any:
    return SimpleNamespace(bytes=size)


def test_a_group_is_closed_by_its_number_its_size_or_its_age() -> None:
    group = together.OpenGroup()
    assert not group.is_due(1e9)
    for at in range(together.MOST_JOBS):
        assert not group.is_due(10.0 + together.PAUSE_SECONDS / 2)
        group.add(a_run(1), 10.0 + at / 1e6)
    assert group.is_due(10.0)
    assert len(group.take()) == together.MOST_JOBS
    assert not group.is_due(1e9)
    group.add(a_run(together.MOST_BYTES), 20.0)
    assert group.is_due(20.0)
    group.take()
    group.add(a_run(1), 30.0)
    assert not group.is_due(30.0 + together.PAUSE_SECONDS * 0.9)
    assert group.is_due(30.0 + together.PAUSE_SECONDS)
    for at in range(1, 10):  # as long as files keep coming it waits for them, but not for ever
        group.add(a_run(1), 30.0 + at * together.MOST_SECONDS / 10)
    assert not group.is_due(30.0 + together.MOST_SECONDS * 0.99)
    assert group.is_due(30.0 + together.MOST_SECONDS)


def test_what_is_left_when_the_order_ends_is_sealed(tmp_path: Path) -> None:
    landed = land_all(tmp_path, files(7), [range(1, 8)], contracts=KNOWN, most=3)
    assert groups(landed) == [[1, 2, 3], [4, 5, 6], [7]]


def test_jobs_of_a_group_share_one_file_and_one_log_entry(tmp_path: Path) -> None:
    landed = land_all(tmp_path, files(5), [range(1, 6)], contracts=KNOWN)
    assert len(list(tmp_path.rglob("*.parquet"))) == len(list(tmp_path.rglob("*_cf/log/*.json"))) == 1
    assert [row["id"] for job in range(1, 6) for row in landed.outcomes[job].rows["events", "accepted"]] == [
        *range(1, 6)
    ]


def test_a_silent_guest_keeps_no_group_waiting(tmp_path: Path) -> None:
    sealed_meanwhile: list[int] = []
    waited: list[int] = []

    def slow(job: int) -> Any:
        waited.append(job)
        yield Quiet()
        sealed_meanwhile.append(len(list(tmp_path.rglob("*.parquet"))))
        yield from a_file("3").events(job)

    jobs = files(2) | {3: MadeUp(b"", slow, 1)}
    with patch.object(together.OpenGroup, "is_due", lambda group, now: bool(group._runs and waited)):
        landed = land_all(tmp_path, jobs, [[1, 2, 3]], contracts=KNOWN)
    assert sealed_meanwhile == [1]
    assert groups(landed) == [[1, 2], [3]]


def test_a_large_job_lands_by_itself_and_holds_nobody_up(tmp_path: Path) -> None:
    jobs = files(3) | {2: a_file(*map(str, range(1000)))}
    with patch.object(job_run, "KEPT_BYTES", 4000):
        landed = land_all(tmp_path, jobs, [[1, 2, 3]], contracts=KNOWN)
    assert groups(landed) == [[2], [1, 3]]
    assert len(landed.outcomes[2].rows["events", "accepted"]) == 1000


def test_a_member_that_nobody_wants_any_more_is_left_out(tmp_path: Path) -> None:
    turns = Turns()

    def last(job: int) -> Any:
        turns.stop(1)
        yield from a_file("3").events(job)

    jobs = files(2) | {3: MadeUp(b"", last, 1)}
    landed = land_all(tmp_path, jobs, [[1, 2, 3]], contracts=KNOWN, turns=turns)
    assert groups(landed) == [[2, 3]]
    assert landed.stops == [1]
    assert sorted(landed.over) == [1, 2, 3]


def test_what_fails_never_touches_the_group(tmp_path: Path) -> None:
    jobs = files(4) | {2: a_file("2", changes=True)}
    landed = land_all(tmp_path, jobs, [[1, 2, 3, 4]], contracts=KNOWN)
    assert groups(landed) == [[1, 3, 4]]
    assert "changed while it was read" in landed.outcomes[2].error


def test_a_refused_group_leaves_no_file_and_gives_every_member_back(tmp_path: Path) -> None:
    jobs = {1: a_file("1"), 2: a_file("bad"), 3: a_file("3")}
    landed = land_all(tmp_path, jobs, [[1, 2, 3]], contracts=KNOWN, answer=lambda jobs: Fenced("one of them is stale"))
    assert landed.stops == [1, 2, 3]
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_fault_over_one_of_several_jobs_costs_that_job_alone(tmp_path: Path) -> None:
    real = channel.Channel.accept

    def accept(self: Any, rows: Any) -> None:
        if "2" in rows.batch.column(0).to_pylist():
            raise InvariantBroken("this one cannot be")
        real(self, rows)

    with patch.object(channel.Channel, "accept", accept):
        landed = land_all(tmp_path, files(3), [[1, 2, 3]], contracts=KNOWN)
    assert groups(landed) == [[1], [3]]
    assert "cannot be" in landed.outcomes[2].error
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_one_bad_file_among_many_is_judged_by_itself_and_the_others_at_once(tmp_path: Path) -> None:
    jobs = files(16) | {11: a_file("11", "oops")}
    judged: list[int] = []
    real = channel.Channel._accept_alone

    def alone(self: Any, rows: Any) -> None:
        judged.append(rows.runs[0].member)
        real(self, rows)

    with patch.object(channel.Channel, "_accept_alone", alone):
        landed = land_all(tmp_path, jobs, [range(1, 17)], contracts=KNOWN)
    assert judged == [10, 11]  # it and its neighbour
    assert [len(each.receipt.groups) for each in landed.sealed[0].jobs] == [0] * 10 + [1] + [0] * 5
    assert len(landed.outcomes[11].rows["events", str(Role.QUARANTINE)]) == 1


def test_members_whose_contract_is_known_do_not_wait_for_the_others(tmp_path: Path) -> None:
    def other(job: int) -> list[Event]:
        return [Batch(job, "others", pa.record_batch({"id": pa.array(["1"])}), None, None, None, 0)]

    jobs = files(4) | {2: MadeUp(b"2", other, 1), 3: MadeUp(b"3", other, 1)}
    landed = land_all(tmp_path, jobs, [[1, 2, 3, 4]], contracts=KNOWN)
    assert groups(landed) == [[1, 4], [2, 3]]
    [(group, survey)] = landed.surveys
    assert [job.job for job in group] == [2, 3]
    sizes = [len(each.outputs[0].survey) for each in survey.jobs]
    assert sizes[0] > 10 * sizes[1]  # one survey tells of both


@pytest.mark.parametrize("count", [3, 1_500])
def test_records_of_an_output_without_any_row_land_whatever_their_number(tmp_path: Path, count: int) -> None:
    def events(job: int) -> list[Event]:
        return [RejectedRecord(job, "events", "cf.x", "no", at, at + 1, None, b"x", None) for at in range(count)]

    with patch.object(job_run, "KEPT_BYTES", 200_000):
        landed = land_all(tmp_path, {1: MadeUp(b"", events, count), 2: a_file("2")}, [[1, 2]], contracts=KNOWN)
    rows = landed.outcomes[1].rows["events", str(Role.QUARANTINE)]
    assert [row["_cf_source_row"] for row in rows] == [*range(1, count + 1)]


def test_jobs_that_are_worked_on_as_one_stop_with_any_of_them() -> None:
    turns = Turns()
    stop = turns.start_together([1, 2, 3])
    assert stop is not None
    assert not turns.stop(2)
    assert stop.is_cancelled
    assert turns.start_together([1, 2]) is None
    assert turns.start_together([1, 3]) is not None


def test_a_fault_while_several_jobs_are_cast_costs_one_job_alone(tmp_path: Path) -> None:
    real = channel.Channel.accept

    def accept(self: Any, rows: Any) -> None:
        if "2" in rows.batch.column(0).to_pylist():
            raise InvariantBroken("this one cannot be")
        real(self, rows)

    with patch.object(channel.Channel, "accept", accept):
        landed = land_all(tmp_path, files(3), [[1, 2, 3]])
    assert [[job.job for job in group] for group, _ in landed.surveys] == [[1, 2, 3]]
    assert groups(landed) == [[1], [3]]
    assert "cannot be" in landed.outcomes[2].error
    assert not landed.outcomes[2].is_tried_again


def two_outputs(count: int) -> dict[int, MadeUp]:
    """Files with rows for a table that has its contract and for one that has none."""

    def say(job: int) -> list[Event]:
        batch = pa.record_batch({"id": pa.array([str(job)], pa.string())})
        return [Batch(job, output, batch, None, None, None, 0) for output in ("events", "others")]

    return {job: MadeUp(b"", say, 2) for job in range(1, count + 1)}


def test_a_fault_over_a_group_that_cannot_be_divided_fails_none_of_it_for_good(tmp_path: Path) -> None:
    with patch.object(
        settle, "seal_channels", side_effect=[InvariantBroken("cannot be"), InvariantBroken("cannot be")]
    ):
        landed = land_all(tmp_path / "several", two_outputs(3), [[1, 2, 3]], contracts=KNOWN)
        alone = land_all(tmp_path / "alone", two_outputs(1), [[1]], contracts=KNOWN)
    assert [[job.job for job in group] for group, _ in landed.surveys] == [[1, 2, 3]]
    assert sorted(landed.over[3:]) == [1, 2, 3]
    assert all("cannot be" in each.error and each.is_tried_again for each in landed.outcomes.values())
    assert not alone.outcomes[1].is_tried_again
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_group_whose_word_of_what_waits_is_unreadable_is_tried_again(tmp_path: Path) -> None:
    with patch.object(settle, "read_pending", side_effect=FileNotFoundError("gone")):
        landed = land_all(tmp_path, files(2), [[1, 2]])
    assert all("gone" in landed.outcomes[job].error and landed.outcomes[job].is_tried_again for job in (1, 2))


def test_casts_that_tell_more_than_fits_into_one_message_are_told_one_by_one(tmp_path: Path) -> None:
    def check(outcome: Any) -> None:
        if len(outcome.jobs) > 1:
            raise InvariantBroken("too much")

    with patch.object(settle, "check_size", check):
        divided = land_all(tmp_path / "divided", files(3), [[1, 2, 3]])
        given_back = land_all(tmp_path / "whole", two_outputs(3), [[1, 2, 3]], contracts=KNOWN)
    assert groups(divided) == [[1], [2], [3]]
    assert [given_back.outcomes[job].is_tried_again for job in (1, 2, 3)] == [True] * 3


def test_more_than_fits_into_one_message_is_told_job_by_job(tmp_path: Path) -> None:
    with patch.object(seal, "TOLD_TOGETHER", 100):
        landed = land_all(tmp_path / "known", files(3), [[1, 2, 3]], contracts=KNOWN)
        surveyed = land_all(tmp_path / "new", files(3), [[1, 2, 3]])
    assert groups(landed) == groups(surveyed) == [[1], [2], [3]]
    assert len(list((tmp_path / "known").rglob("*.parquet"))) == 3


def test_a_job_whose_group_came_to_nothing_lands_alone_with_its_rejected_records(tmp_path: Path) -> None:
    def events(job: int) -> list[Event]:
        return [*a_file("1").events(job), RejectedRecord(job, "events", "cf.x", "no", 0, 1, None, b"x", None)]

    jobs = {job: MadeUp(b"", events, 2) for job in (1, 2)}
    with patch.object(seal, "TOLD_TOGETHER", 1):
        landed = land_all(tmp_path, jobs, [[1, 2]], contracts=KNOWN)
    assert groups(landed) == [[1], [2]]
    for job in jobs:
        assert {place: len(rows) for place, rows in landed.outcomes[job].rows.items()} == {
            ("events", str(Role.ACCEPTED)): 1,
            ("events", str(Role.QUARANTINE)): 1,
        }


def test_batches_of_few_rows_that_keep_large_frames_are_not_kept_in_memory(tmp_path: Path) -> None:
    kept: list[int] = []

    def events(job: int) -> Iterator[Event]:
        for _ in range(20):
            yield Batch(job, "events", pa.record_batch({"id": ["1"]}, TEXT), None, None, None, 30_000)

    real = job_run.JobRun.take

    def take(run: job_run.JobRun, event: Batch) -> None:
        real(run, event)
        kept.append(len(run.pieces))

    with patch.object(job_run, "KEPT_BYTES", 100_000), patch.object(job_run.JobRun, "take", take):
        landed = land_all(tmp_path, {1: MadeUp(b"", events, 20)}, [[1]], contracts=KNOWN)
    assert 1 < max(kept) < 4
    assert len(landed.outcomes[1].rows[("events", str(Role.ACCEPTED))]) == 20


@pytest.mark.parametrize("rows", [0, 1])
def test_a_file_of_many_tiny_batches_is_not_kept_in_memory(tmp_path: Path, rows: int) -> None:
    kept: list[int] = []

    def events(job: int) -> Iterator[Event]:
        for _ in range(400):
            yield Batch(job, "events", pa.record_batch({"id": ["1"] * rows}, TEXT), None, None, None, 0)

    real = job_run.JobRun.take

    def take(run: job_run.JobRun, event: Batch) -> None:
        real(run, event)
        kept.append(len(run.pieces))

    with patch.object(job_run, "KEPT_BYTES", 100_000), patch.object(job_run.JobRun, "take", take):
        landed = land_all(tmp_path, {1: MadeUp(b"", events, 400 * rows)}, [[1]], contracts=KNOWN)
    assert max(kept) < 50
    assert kept[-1] == 0
    assert len(landed.outcomes[1].rows.get(("events", str(Role.ACCEPTED)), [])) == 400 * rows


def test_an_order_fills_a_group_and_a_commit_can_name_all_jobs_of_one() -> None:
    assert GROUP_FILES == together.MOST_JOBS <= lineage.MOST_JOBS
