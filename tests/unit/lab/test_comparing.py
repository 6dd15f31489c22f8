"""What two readings of one file differ in, against a count by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.lineage import SOURCE_ROW
from casparian_flow.lab.comparing import Comparing, FileDifference, FileRows, PlacedRows, TableRows

Row = tuple[int, Any]
"""A place and what stands there."""


def reader(rows: list[Row], kind: pa.DataType = pa.string(), name: str = "v") -> pa.RecordBatchReader:  # noqa: B008
    places, values = [place for place, _ in rows], [value for _, value in rows]
    table = pa.table({name: pa.array(values, kind), SOURCE_ROW: pa.array(places, pa.int64())})
    return table.to_reader(max_chunksize=3)


def brought(accepted: list[Row], rejected: list[int], kind: pa.DataType = pa.string(), name: str = "v") -> TableRows:  # noqa: B008
    digest = digest_of_json([str(kind), name, str(accepted)]) if accepted else ""
    return TableRows(
        accepted=len(accepted),
        rejected=len(rejected),
        digest=digest,
        read_accepted=lambda: reader(accepted, kind, name),
        read_rejected=lambda: reader([(place, None) for place in rejected]),
    )


def compare(old: FileRows, new: FileRows, scratch: Path) -> FileDifference:
    with Comparing(scratch) as comparing:
        return comparing.compare(old, new)


def counted(old: TableRows, new: TableRows, scratch: Path) -> dict[str, int]:
    found = compare({"t": old}, {"t": new}, scratch)
    return {name: getattr(found, name) for name in ("gained", "lost", "changed", "quarantined", "released")}


def by_hand(old: list[Row], old_rejected: list[int], new: list[Row], new_rejected: list[int]) -> dict[str, int]:
    """The same, place by place, with nothing but counting."""
    total = Counter(gained=0, lost=0, changed=0, quarantined=0, released=0)
    for place in {place for place, _ in [*old, *new]} | {*old_rejected, *new_rejected}:
        before = Counter(value for at, value in old if at == place)
        after = Counter(value for at, value in new if at == place)
        more = max(after.total() - before.total(), 0)
        out = max(old_rejected.count(place) - new_rejected.count(place), 0)
        total["gained"] += more
        total["released"] += min(out, more)
        total["lost"] += max(before.total() - after.total(), 0) + max(out - more, 0)
        total["quarantined"] += max(new_rejected.count(place) - old_rejected.count(place), 0)
        total["changed"] += min(before.total(), after.total()) - (before & after).total()
    return dict(total)


def test_one_planted_difference_of_each_kind_is_counted_once(tmp_path: Path) -> None:
    old = brought([(1, "a"), (2, "b"), (3, "c"), (4, "d")], [7, 8])
    new = brought([(1, "a"), (2, "B"), (4, "d"), (7, "g"), (9, "i")], [3, 8, 10])
    assert counted(old, new, tmp_path) == {"gained": 2, "lost": 1, "changed": 1, "quarantined": 2, "released": 1}


def test_a_rejected_record_that_is_nowhere_now_is_lost(tmp_path: Path) -> None:
    found = counted(brought([(1, "a")], [2]), brought([(1, "a")], []), tmp_path)
    assert found == {"gained": 0, "lost": 1, "changed": 0, "quarantined": 0, "released": 0}


def test_files_that_are_compared_together_by_place_alone_count_as_each_by_itself(tmp_path: Path) -> None:
    def placed(*files: list[int]) -> pa.RecordBatchReader:
        pairs = [(file, place) for file, places in enumerate(files) for place in places]
        columns = {
            name: pa.array([pair[at] for pair in pairs], pa.int64()) for at, name in enumerate(("file", "place"))
        }
        return pa.table(columns).to_reader(max_chunksize=3)

    with Comparing(tmp_path) as comparing:
        found = comparing.compare_places(
            PlacedRows(placed([1, 2, 3], [1], [5]), placed([4, 5], [2, 3], [])),
            PlacedRows(placed([2, 4, 6], [1], [5]), placed([1, 3, 5], [3], [])),
        )
    # Of the first file 1 and 3 are rejected now, 4 is released and 6 is new; of the second 2 is nowhere now.
    assert found == FileDifference(gained=2, lost=3, changed=0, quarantined=2, released=1)


def test_rows_of_the_same_digest_are_not_even_read(tmp_path: Path) -> None:
    def never() -> pa.RecordBatchReader:
        raise AssertionError("read")

    same = TableRows(accepted=3, rejected=0, digest="blake3:1", read_accepted=never, read_rejected=never)
    found = compare({"t": same}, {"t": same}, tmp_path)
    assert found.is_same
    assert found == FileDifference(digests={"t": ("blake3:1", "blake3:1")})


def test_rows_that_only_moved_are_no_difference_but_have_another_digest(tmp_path: Path) -> None:
    old, new = brought([(1, "a"), (2, "b")], []), brought([(2, "b"), (1, "a")], [])
    found = compare({"t": old}, {"t": new}, tmp_path)
    assert (found.gained, found.lost, found.changed) == (0, 0, 0)
    assert not found.is_same


def test_a_table_that_only_one_reading_has_is_gained_or_lost_whole(tmp_path: Path) -> None:
    rows = brought([(1, "a"), (2, "b")], [3])
    found = compare({"t": rows}, {"u": rows}, tmp_path)
    assert (found.gained, found.lost, found.quarantined, found.released) == (2, 3, 1, 0)
    assert {table: tuple(map(bool, pair)) for table, pair in found.digests.items()} == {
        "t": (True, False),
        "u": (False, True),
    }


def test_a_moment_that_differs_by_a_nanosecond_is_changed(tmp_path: Path) -> None:
    kind = pa.timestamp("ns", tz="UTC")
    found = counted(
        brought([(1, 1_000_000_000), (2, 5)], [], kind), brought([(1, 1_000_000_001), (2, 5)], [], kind), tmp_path
    )
    assert found["changed"] == 1


def test_values_of_another_type_are_compared_as_text(tmp_path: Path) -> None:
    found = counted(brought([(1, 12), (2, 13)], [], pa.int64()), brought([(1, "12"), (2, "013")], []), tmp_path)
    assert found["changed"] == 1


def test_a_column_that_is_new_and_empty_changes_no_row(tmp_path: Path) -> None:
    old = brought([(1, None), (2, None)], [], name="a")
    new = brought([(1, None), (2, "x")], [], name="b")
    assert counted(old, new, tmp_path)["changed"] == 1


rows = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["a", "b", None])), max_size=8)
places = st.lists(st.integers(1, 6), max_size=5)


@settings(max_examples=15)
@given(old=rows, old_rejected=places, new=rows, new_rejected=places)
def test_every_difference_is_what_counting_by_hand_gives(
    tmp_path_factory, old, old_rejected, new, new_rejected
) -> None:  # type: ignore[no-untyped-def]
    found = counted(brought(old, old_rejected), brought(new, new_rejected), tmp_path_factory.getbasetemp())
    assert found == by_hand(old, old_rejected, new, new_rejected)


def test_one_engine_compares_file_after_file_and_goes_on_after_one_that_cannot_be_read(tmp_path: Path) -> None:
    old, new = brought([(1, "a"), (2, "b")], [7]), brought([(1, "a"), (2, "x"), (7, "n")], [])
    broken = replace(new, digest="other", read_accepted=broken_reading)
    with Comparing(tmp_path) as comparing:
        first = comparing.compare({"t": old}, {"t": new})
        with pytest.raises(OSError, match="gone"):
            comparing.compare({"t": old}, {"t": broken})
        assert [comparing.compare({"t": old}, {"t": new}) for _ in range(3)] == [first] * 3


def broken_reading() -> pa.RecordBatchReader:
    raise OSError("the file is gone")
