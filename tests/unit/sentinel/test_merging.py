"""Which files are merged, and what the log says of it: the order stays, and nobody comes back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from casparian_flow.core.errors import PlanStale
from casparian_flow.core.outputs import Role
from casparian_flow.sentinel.history.merging import FULL_BYTES, SMALL_BYTES, Merged, entry_for, merges_of
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRows, entry_bytes, parse_entry
from casparian_flow.sinks.state import TableState
from sink_builders import DIGEST

HASHES = {1: "one", 2: "two"}


def a_file(*jobs: int, size: int = 1000, version: int = 1, number: int = 0) -> AddedFile:
    """A file of five rows of each job, named by the first; with a number, one that a rewrite made."""
    name = f"v{version}/t_{0 if number else jobs[0]}.{number or 1}.0.parquet"
    parts = tuple(JobRows(job=job, rows=5) for job in jobs)
    return AddedFile(name=name, size=size, digest=DIGEST, rows=5 * len(jobs), jobs=parts)


def an_entry(seq: int, adds: Iterable[AddedFile] = (), gone: Iterable[int] = (), dropped: Iterable[str] = ()) -> Entry:
    return Entry(
        table="t", role=Role.ACCEPTED, seq=seq, action=EntryAction.APPEND, contract_version=1, schema_hash=DIGEST,
        adds=tuple(adds), removed_jobs=tuple(gone), removed_files=tuple(dropped),
    )  # fmt: skip


def a_state(*files: AddedFile) -> TableState:
    state = TableState()
    state.apply(an_entry(1, files))
    return state


def chosen(state: TableState) -> list[list[str]]:
    return [[visible.file.name for visible in merge.files] for merge in merges_of(Role.ACCEPTED, state)]


def shown(state: TableState) -> list[tuple[str, list[int]]]:
    return [(name, sorted(visible.live)) for name, visible in state.files.items()]


def rows(state: TableState) -> list[int]:
    """The jobs whose rows a reader sees, in the order in which it sees them."""
    return [part.job for each in state.files.values() for part in each.file.jobs if part.job in each.live]


def merged(state: TableState, first_number: int = 1) -> list[Merged]:
    """Every merge of the state, carried out."""
    found = []
    for number, merge in enumerate(merges_of(Role.ACCEPTED, state), first_number):
        jobs = [part.job for each in merge.files for part in each.file.jobs if part.job in each.live]
        found.append(Merged(merge=merge, files=(a_file(*jobs, version=merge.version, number=number),)))
    return found


def put_in_place(state: TableState, done: Sequence[Merged]) -> Entry:
    entry = entry_for("t", Role.ACCEPTED, state, done, HASHES)
    assert entry is not None
    state.apply(parse_entry(entry_bytes(entry), "here"))
    return entry


def test_small_neighbours_of_one_contract_version_are_merged() -> None:
    large = SMALL_BYTES
    state = a_state(
        a_file(1), a_file(2), a_file(3, size=large), a_file(4), a_file(5, size=large), a_file(6), a_file(7),
        a_file(8, version=2), a_file(9, version=2), a_file(10, version=2, size=large),
    )  # fmt: skip
    names = [[int(name.split("_")[1].split(".")[0]) for name in merge] for merge in chosen(state)]
    assert names == [[1, 2], [6, 7], [8, 9]]


def test_one_new_file_takes_so_much_and_the_rest_goes_into_the_next() -> None:
    size = SMALL_BYTES - 1
    fit = FULL_BYTES // size
    state = a_state(*(a_file(job, size=size) for job in range(1, 2 * fit + 2)))
    assert [len(merge) for merge in chosen(state)] == [fit, fit]


def test_what_was_merged_is_not_merged_again_alone() -> None:
    state = a_state(a_file(1), a_file(2))
    put_in_place(state, merged(state))
    assert chosen(state) == []
    assert entry_for("t", Role.ACCEPTED, state, [], HASHES) is None


def test_rows_stay_in_their_order_between_files_that_are_left_alone() -> None:
    large = SMALL_BYTES
    state = a_state(
        a_file(9, size=large), a_file(1), a_file(2), a_file(3, 4, size=large), a_file(5), a_file(6),
        a_file(7, size=large, version=2),
    )  # fmt: skip
    state.apply(an_entry(2, gone=[3]))
    before, done = rows(state), merged(state)
    state.apply(an_entry(3, [a_file(8)]))
    entry = put_in_place(state, done)
    assert rows(state) == [*before, 8] == [9, 1, 2, 4, 5, 6, 7, 8]
    assert a_file(9, size=large).name not in {file.name for file in entry.adds}, "what comes before is not touched"
    assert (entry.removed_jobs, entry.format) == ((3,), 2)
    assert (entry.action, entry.contract_version, entry.schema_hash) == (EntryAction.RETIRE, 1, "one")
    assert state.rows == 5 * len(rows(state))


def test_who_was_superseded_meanwhile_does_not_come_back() -> None:
    state = a_state(a_file(1), a_file(2), a_file(3))
    done = merged(state)
    state.apply(an_entry(2, [a_file(4)], gone=[2]))
    entry = put_in_place(state, done)
    assert entry.removed_jobs == (2,)
    assert shown(state) == [("v1/t_0.1.0.parquet", [1, 3]), (a_file(4).name, [4])]


def test_a_merge_whose_rows_are_all_superseded_is_left_out() -> None:
    state = a_state(a_file(1), a_file(2), a_file(3, size=SMALL_BYTES), a_file(4), a_file(5))
    done = merged(state)
    state.apply(an_entry(2, gone=[1, 2]))
    put_in_place(state, done)
    assert rows(state) == [3, 4, 5]
    state.apply(an_entry(4, gone=[4, 5]))
    assert entry_for("t", Role.ACCEPTED, state, done, HASHES) is None


def test_rows_that_came_back_meanwhile_are_not_lost() -> None:
    state = a_state(a_file(3), a_file(1, 2))
    state.apply(an_entry(2, gone=[2]))
    done = merged(state)
    state.apply(an_entry(3, [a_file(1, 2)]))
    with pytest.raises(PlanStale):
        entry_for("t", Role.ACCEPTED, state, done, HASHES)


def test_files_that_another_compaction_merged_are_not_taken_out_of_it() -> None:
    state = a_state(a_file(1), a_file(2), a_file(3))
    done = merged(state)
    put_in_place(state, merged(state, first_number=2))
    with pytest.raises(PlanStale):
        entry_for("t", Role.ACCEPTED, state, done, HASHES)
    assert rows(state) == [1, 2, 3]


def test_files_that_are_not_neighbours_any_more_are_not_merged() -> None:
    state = a_state(a_file(1), a_file(2), a_file(3))
    done = merged(state)
    state.apply(an_entry(2, [a_file(4), a_file(1)]))
    with pytest.raises(PlanStale):
        entry_for("t", Role.ACCEPTED, state, done, HASHES)
