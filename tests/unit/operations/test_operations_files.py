"""Every location has one state and a reason for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import NOW_NS, HomeBuilder
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.files import FileState
from casparian_flow.operations.doing.file import files
from casparian_flow.operations.doing.home import status
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.file.files import ListFiles, ShowFile
from casparian_flow.operations.home.status import AskStatus
from casparian_flow.sentinel.home_lock import hold
from casparian_flow.settings import Settings
from casparian_flow.store import tables


def listed(past: HomeBuilder, **wanted):
    with open_reading(past.home, Settings(), Path("/evidence/sub")) as reading:
        return files.list_(reading, ListFiles(**wanted))


def shown(past: HomeBuilder, name: str, cwd: str = "/evidence"):
    with open_reading(past.home, Settings(), Path(cwd)) as reading:
        return files.show(reading, ShowFile(file=name))


def only(past: HomeBuilder):
    (entry,) = listed(past).files
    return entry.state, entry.reason


def a_read_file(past: HomeBuilder, state: str = "completed", **job):
    location = past.location(past.source())
    version = past.version(location)
    return location, version, past.job(location, version, past.parser(), state, **job)


def test_a_file_that_was_only_found_is_new(past):
    past.location(past.source())
    assert only(past) == ("new", "new")


def test_a_planned_file_has_the_reason_of_the_plan(past):
    location = past.location(past.source())
    past.decision(location, "run", "forced", version_id=past.version(location))
    assert only(past) == ("new", "forced")


def test_a_skipped_file_has_the_reason_of_the_plan(past):
    location = past.location(past.source())
    past.decision(location, "skip", "no_parser", "unknown content", version_id=past.version(location))
    assert only(past) == ("skipped", "no_parser")
    assert listed(past).files[0].detail == "unknown content"


def test_a_file_read_moments_after_it_was_written_is_done(past):
    a_read_file(past)
    mark(past, is_dirty=True, size=8)
    assert only(past)[0] == "done"
    mark(past, mtime_ns=NOW_NS + 1)
    assert only(past) == ("changed", "bytes_changed")


def mark(past: HomeBuilder, **values) -> None:
    with past.database.transaction() as connection:
        connection.execute(tables.locations.update().values(**values))


def test_a_decision_about_earlier_bytes_no_longer_counts(past):
    location = past.location(past.source())
    past.decision(location, "skip", "no_parser", version_id=past.version(location))
    past.version(location, b"other bytes")
    assert only(past) == ("new", "new")


@pytest.mark.parametrize("state", ["queued", "dispatched", "running", "committing"])
def test_a_file_whose_job_is_not_over_is_active(past, state):
    a_read_file(past, state)
    with hold(past.home.lock):
        assert only(past) == ("active", "new")
    assert only(past) == ("active", "interrupted")  # nobody is there who could do its job
    assert "the next run puts it right" in listed(past).files[0].detail


def test_a_file_whose_job_ended_with_its_process_waits_and_the_status_leads_to_the_run_that_reads_it(past):
    a_read_file(past, "aborted", error_code="interrupted", error_message="its process ended")
    assert only(past) == ("new", "interrupted")
    assert listed(past).files[0].detail == "its process ended; the next run reads it"
    with open_reading(past.home, Settings(), Path("/evidence")) as reading:
        said = status.status(reading, AskStatus())
    assert (said.files["new"], said.files["skipped"], said.next) == (1, 0, ["casparian run"])


def test_a_read_file_is_done(past):
    location, version, job = a_read_file(past)
    past.rows(job, "sales")
    past.rows(job, "returns")
    past.decision(location, "skip", "up_to_date", version_id=version)
    assert only(past) == ("done", "up_to_date")
    assert listed(past).files[0].tables == ["returns", "sales"]


def test_the_same_bytes_elsewhere_share_job_and_tables(past):
    _, _, job = a_read_file(past)
    past.rows(job)
    past.version(past.location(1, "copy.csv"))
    copy = next(entry for entry in listed(past).files if entry.path == "copy.csv")
    assert (copy.state, copy.job, copy.tables) == ("done", str(job), ["sales"])
    assert shown(past, "copy.csv").also_at == ["/evidence/a.csv"]


def test_open_quarantine_makes_a_file_quarantined_until_it_is_dealt_with(past):
    _, _, job = a_read_file(past)
    group = past.quarantine(job)
    assert only(past)[0] == "quarantined"
    with past.database.transaction() as connection:
        connection.execute(tables.quarantine.update().where(tables.quarantine.c.id == group).values(state="waived"))
    assert only(past)[0] == "done"


def test_a_failed_file_has_the_code_of_its_error_or_why_it_is_not_tried_again(past):
    location, version, _ = a_read_file(past, "failed", error_code="parser-raised", error_message="boom")
    assert only(past) == ("failed", "parser-raised")
    past.decision(location, "skip", "gave_up", version_id=version)
    assert only(past) == ("failed", "gave_up")
    assert listed(past).files[0].detail == "boom"


@pytest.mark.invariant(7)
def test_a_cancelled_file_is_skipped(past):
    a_read_file(past, "aborted")
    assert only(past) == ("skipped", "cancelled")


def test_a_file_whose_contract_waits_names_the_table(past):
    a_read_file(past, "rejected", error_code="awaiting-approval", error_message="sales")
    assert only(past) == ("skipped", "awaiting_approval")
    assert "sales" in listed(past).files[0].detail


def test_a_newer_job_counts_more_than_an_older_one(past):
    location, version, _ = a_read_file(past, "failed", error_code="x")
    past.job(location, version, 1)
    assert only(past)[0] == "done"


def test_a_file_that_changed_since_it_was_read_is_changed_before_and_after_hashing(past):
    location, _, _ = a_read_file(past)
    past.database.driver.execute("UPDATE scout_locations SET is_dirty = 1, mtime_ns = mtime_ns + 1")
    assert only(past) == ("changed", "bytes_changed")
    past.version(location, b"new bytes")
    assert only(past) == ("changed", "bytes_changed")


def test_a_missing_file_is_missing_whatever_it_was(past):
    a_read_file(past)
    past.database.driver.execute("UPDATE scout_locations SET is_missing = 1")
    assert only(past) == ("missing", "source_missing")


@pytest.mark.parametrize("kind", sorted(files.KINDS))
def test_an_entry_that_is_not_a_file_is_listed_with_what_it_is(past, kind):
    past.location(past.source(), kind=kind)
    (entry,) = listed(past).files
    assert (entry.state, entry.reason, entry.detail) == ("skipped", "not_selected", files.KINDS[kind])


def test_a_companion_names_its_database(past):
    main = past.location(past.source(), "a.db")
    past.location(1, "a.db-wal", part_of=main)
    assert listed(past, states=(FileState.SKIPPED,)).files[0].detail == "part of a.db"


def test_the_counts_of_the_status_add_up_to_all_files(tmp_path):
    from builders import eventful_home

    home = eventful_home(tmp_path / "home")
    with open_reading(home, Settings(), tmp_path) as reading:
        entries = files.list_(reading, ListFiles()).files
        counts = status.status(reading, AskStatus()).files
        for state in FileState:
            assert counts[state] == len(files.list_(reading, ListFiles(states=(state,))).files) > 0
    assert sum(counts.values()) == len(entries)


def test_a_file_of_two_sources_is_listed_and_counted_once(past):
    """As after `run DIR` and `run DIR/sub/x.log --parser lines`, which makes that file a source of its own."""
    wide, narrow = past.source(b"/evidence"), past.source(b"/evidence/sub")
    for name in (b"x.log", b"sub/x.log"):
        past.location(wide, name)
    for name in (b"x.log", b"y.log"):
        past.location(narrow, name)
    entries = [(entry.source, entry.path) for entry in listed(past).files]
    assert entries == [("/evidence", "sub/x.log"), ("/evidence", "x.log"), ("/evidence/sub", "y.log")]
    assert len(listed(past, source="/evidence/sub").files) == 2
    with open_reading(past.home, Settings(), Path("/evidence")) as reading:
        assert sum(status.status(reading, AskStatus()).files.values()) == 3


def test_pages_follow_each_other_without_gap_or_repeat(past):
    first, second = past.source(), past.source(b"/other")
    names = [b"a/%d.csv" % number for number in range(7)] + [b"\xff\xfe.csv"]
    for source in (first, second):
        for name in names:
            past.location(source, name)
    seen, after = [], None
    while True:
        page = listed(past, limit=3, after=after)
        seen += [(entry.source, entry.path) for entry in page.files]
        after = page.next_cursor
        if after is None:
            break
    assert seen == [(entry.source, entry.path) for entry in listed(past).files]
    assert len(set(seen)) == 16


@pytest.mark.parametrize("cursor", ["", "!", "bnVsbA==", "WzEsICJ6eiJd"])
def test_a_cursor_that_nobody_gave_is_refused(past, cursor):
    with pytest.raises(UsageError):
        listed(past, after=cursor)


def test_filters_restrict_together(past):
    first, other = past.source(), past.source(b"/other")
    old = past.location(first, "old.CSV", mtime_ns=NOW_NS - 10**18)
    past.location(first, "new.csv")
    past.location(other, "new.txt")
    past.location(other, "100%_csv")
    past.tag(old, "sales")

    def paths(**wanted):
        return [entry.path for entry in listed(past, **wanted).files]

    assert paths(extension="csv") == paths(extension=".csv") == ["new.csv", "old.CSV"]
    assert paths(source="/other") == paths(source="2") == ["100%_csv", "new.txt"]
    assert paths(tag="sales") == ["old.CSV"]
    assert paths(untagged=True, source="1") == ["new.csv"]
    assert paths(since="2026-01-01", extension="csv") == ["new.csv"]
    assert paths(extension="%") == []


def test_a_file_is_found_by_any_way_to_write_its_path(past):
    past.location(past.source(), "sub/a.csv")
    past.location(1, b"caf\xe9.csv")
    for name, cwd in [
        ("/evidence/sub/a.csv", "/"),
        ("a.csv", "/evidence/sub"),
        ("../sub/a.csv", "/evidence/sub"),
        ("sub/a.csv", "/elsewhere"),
        ("a.csv", "/elsewhere"),
    ]:
        assert shown(past, name, cwd).file.path == "sub/a.csv"
    assert shown(past, "caf\udce9.csv").file.path == "caf\\xe9.csv"
    assert shown(past, "caf\\xe9.csv").file.path == "caf\\xe9.csv"


def test_a_name_of_several_files_is_refused_and_one_of_none_is_not_found(past):
    source = past.source()
    past.location(source, "x/a.csv")
    past.location(source, "y/a.csv")
    with pytest.raises(UsageError):
        shown(past, "a.csv", "/elsewhere")
    with pytest.raises(NotFound):
        shown(past, "b.csv")


def test_showing_a_file_tells_its_history_newest_first(past):
    location, _, job = a_read_file(past)
    past.version(location, b"second")
    past.tag(location, "sales")
    detail = shown(past, "a.csv")
    assert [version.is_current for version in detail.versions] == [True, False]
    assert [each.job for each in detail.jobs] == [str(job)]
    assert detail.tags == ["sales"]
