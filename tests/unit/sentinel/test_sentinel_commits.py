"""One permit for all sinks of a job: what each log gains and loses, and when a job has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from builders import NOW_NS, HomeBuilder
from casparian_flow.core.errors import InvariantBroken, OutputExists
from casparian_flow.core.outputs import PermittedEntry, Role, SealedFile, SealedOutput, SinkMode, SinkTarget
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.sentinel.commit import commits
from casparian_flow.sinks.log import Entry, EntryAction, parse_entry
from casparian_flow.store import outputs as output_store
from casparian_flow.store.facts import facts_of
from casparian_flow.store.views import quarantine as quarantine_view

A, B = "parquet:///a", "parquet:///b"
BOTH = Routes(default=(SinkTarget(A), SinkTarget(B)))
MIXED = Routes(default=(SinkTarget(A), SinkTarget(B, SinkMode.REPLACE)))


@pytest.fixture
def past(tmp_path: Path) -> Iterator[HomeBuilder]:
    with HomeBuilder(tmp_path / "home") as builder:
        yield builder


def a_job(past: HomeBuilder, routes: Routes, path: str = "a.csv", **changes: object) -> int:
    location = past.location(past.source(path.encode()), path)
    version = past.version(location, path.encode())
    return past.job(location, version, past.parser(path), "running", routes=routes.to_json(), **changes)


def a_receipt(job: int, *sinks: str, rows: int = 2) -> Receipt:
    return Receipt(
        counts=(OutputCounts(table="sales", emitted=rows, accepted=rows, quarantined=0),),
        outputs=tuple(
            SealedOutput(
                sink=sink,
                table="sales",
                role=Role.ACCEPTED,
                contract_version=1,
                schema_hash="s",
                rows=rows,
                row_digest="d",
                files=(SealedFile(name=f"v1/sales_{job}.1.0.parquet", rows=rows, size=9, digest="f"),),
            )
            for sink in sinks
        ),
        isolation="process",
        seconds=1.0,
        bytes_read=1,
    )


def permit(past: HomeBuilder, job: int, receipt: Receipt) -> list[PermittedEntry]:
    with past.database.transaction() as connection:
        group = [(facts_of(connection, job), receipt)]
        for error in commits.check(connection, group).values():
            raise error
        return commits.permit(connection, group, {}, NOW_NS)


def read(entry: PermittedEntry) -> Entry:
    return parse_entry(entry.body, entry.sink)


def test_one_permit_fixes_an_entry_for_every_sink_and_one_record_proves_them_all(past: HomeBuilder) -> None:
    job = a_job(past, BOTH)
    entries = permit(past, job, a_receipt(job, A, B))
    assert [(entry.sink, entry.table, entry.seq) for entry in entries] == [(A, "sales", 1), (B, "sales", 1)]
    assert [read(entry).adds[0].rows for entry in entries] == [2, 2]
    with past.database.transaction() as connection:
        commits.record(connection, [facts_of(connection, job)], {}, NOW_NS)
        assert output_store.unrecorded(connection) == []
        proofs = {
            row.sink_uri: row.accepted
            for sink in (A, B)
            for row in output_store.current_in_table(connection, sink, "sales")
        }
        assert proofs == {A: 2, B: 2}
        [brought] = output_store.brought_by_plan(connection, 1)
        assert (brought.files, brought.accepted) == (1, 2)


def test_numbers_of_each_sink_go_on_by_themselves(past: HomeBuilder) -> None:
    first, second = a_job(past, Routes(default=(SinkTarget(A),))), a_job(past, BOTH, "b.csv")
    permit(past, first, a_receipt(first, A))
    entries = permit(past, second, a_receipt(second, A, B))
    assert [(entry.sink, entry.seq) for entry in entries] == [(A, 2), (B, 1)]


def test_a_receipt_without_a_sink_s_rows_is_not_permitted(past: HomeBuilder) -> None:
    job = a_job(past, BOTH)
    with pytest.raises(InvariantBroken):
        permit(past, job, a_receipt(job, A))
    with past.database.transaction() as connection:
        assert output_store.unrecorded(connection) == []


def test_mode_error_looks_at_the_one_sink_that_has_it(past: HomeBuilder) -> None:
    old = a_job(past, BOTH, plan_id=9)
    past.rows(old, "sales", sink_uri=A)
    only_b = Routes(default=(SinkTarget(A), SinkTarget(B, SinkMode.ERROR)))
    job = a_job(past, only_b, "b.csv")
    assert permit(past, job, a_receipt(job, A, B))
    only_a = Routes(default=(SinkTarget(A, SinkMode.ERROR), SinkTarget(B)))
    job = a_job(past, only_a, "c.csv")
    with pytest.raises(OutputExists) as caught:
        permit(past, job, a_receipt(job, A, B))
    assert caught.value.where == A


def test_a_held_job_appends_in_one_sink_and_replaces_in_the_other_by_the_same_permit(past: HomeBuilder) -> None:
    old = a_job(past, BOTH, "old.csv", plan_id=9)
    for sink in (A, B):
        past.rows(old, "sales", sink_uri=sink)
    jobs = [a_job(past, MIXED, "b.csv"), a_job(past, MIXED, "c.csv")]
    with past.database.transaction() as connection:
        sealed = [(facts_of(connection, job), a_receipt(job, A, B)) for job in jobs]
        assert all(commits.waits_for_the_end(facts, receipt) for facts, receipt in sealed)
        commits.permit_replacement(connection, sealed, [], {}, NOW_NS)
        rows = output_store.unrecorded(connection)
    found = {row.sink_uri: parse_entry(row.body, "") for row in rows}
    assert {sink: (entry.action, entry.removed_jobs) for sink, entry in found.items()} == {
        A: (EntryAction.APPEND, ()),
        B: (EntryAction.REPLACE, (old,)),
    }
    assert all([record.job for record in entry.jobs] == jobs for entry in found.values())


def test_only_a_job_that_brings_rows_to_a_replaced_table_waits(past: HomeBuilder) -> None:
    elsewhere = Routes(default=(SinkTarget(A),), topics={"other": (SinkTarget(B, SinkMode.REPLACE),)})
    job = a_job(past, elsewhere)
    with past.database.transaction() as connection:
        assert not commits.waits_for_the_end(facts_of(connection, job), a_receipt(job, A))


def test_quarantine_stays_current_while_one_sink_still_shows_its_job(past: HomeBuilder) -> None:
    job = a_job(past, BOTH)
    for sink in (A, B):
        past.rows(job, "sales", quarantined=2, sink_uri=sink)
    past.quarantine(job)
    with past.database.transaction() as connection:
        output_store.supersede(connection, A, "sales", [job])
        assert quarantine_view.count_open(connection)[0] == 2
        output_store.supersede(connection, B, "sales", [job])
        assert quarantine_view.count_open(connection)[0] == 0


def test_two_parsers_that_reject_rows_of_one_file_are_both_counted_and_a_newer_version_replaces_its_own(
    past: HomeBuilder,
) -> None:
    location = past.location(past.source())
    version = past.version(location)
    parsers = [past.parser("one"), past.parser("two"), past.parser("one", artifact_hash="blake3:newer")]
    jobs = [past.job(location, version, parser) for parser in parsers]
    for job, name, rows in zip(jobs, ("one", "two", "one"), (2, 3, 5), strict=True):
        past.rows(job, "sales", quarantined=rows, parser_name=name)
        past.quarantine(job, rows, shape=name)
    with past.database.transaction() as connection:
        assert quarantine_view.count_open(connection) == (8, 1)
        assert quarantine_view.open_rows(connection) == 8
        groups = quarantine_view.list_groups(connection, table="sales", code=None)
        assert {(each["shape"], each["rows"]) for each in groups} == {("one", 5), ("two", 3)}
        jobs_of = {
            each["shape"]: quarantine_view.jobs_by_sink(connection, "sales", each["group"]).values() for each in groups
        }
        assert {shape: [job for found in by_sink for job in found] for shape, by_sink in jobs_of.items()} == {
            "one": [jobs[2]],
            "two": [jobs[1]],
        }


def test_a_receipt_of_several_sinks_survives_its_text(past: HomeBuilder) -> None:
    receipt = a_receipt(5, A, B)
    assert msgspec.json.decode(msgspec.json.encode(receipt), type=Receipt) == receipt
