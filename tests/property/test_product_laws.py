"""Laws of the whole way from bytes to tables: nothing is lost, and how it was read does not show."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_schema_inference import FAMILIES

from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import Role
from damaged_texts import damaged_files
from delimited_support import Outcome, read_delimited
from product import ProductHere

FILES = 30
SIMPLEST = 1
"""Hypothesis begins with the simplest example, which says little."""


@contextmanager
def a_home(evidence: dict[str, bytes]) -> Iterator[tuple[ProductHere, Path]]:
    """The product over an empty home, and a folder of these files."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "evidence"
        place.mkdir()
        for name, data in evidence.items():
            (place / name).write_bytes(data)
        yield ProductHere(Path(folder) / "home"), place


def landed(product: ProductHere, role: Role) -> dict[str, Counter[tuple[Any, ...]]]:
    """By the hash of a file: what of it is in any table, by its place."""
    found: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    places = ("_cf_source_row",) if role is Role.ACCEPTED else ("code", "start", "end")
    for name in product.tables(role):
        rows = product.table(name, role).select(["_cf_source_hash", *places]).to_pylist()
        for row in rows:
            found[row["_cf_source_hash"]][tuple(row[place] for place in places)] += 1
    return found


def parsed(outcome: Outcome, role: Role) -> Counter[tuple[Any, ...]]:
    """What the parser alone says of a file."""
    if role is Role.ACCEPTED:
        return Counter((number,) for table in outcome.tables.values() for number, _, _ in table.places)
    return Counter((each.code, each.start, each.end) for each in outcome.rejected)


def conserve(evidence: list[bytes]) -> None:
    files = {f"{number:02}.csv": data for number, data in enumerate(dict.fromkeys(filter(None, evidence)))}
    if not files:
        return
    with a_home(files) as (product, place):
        reply = product.run(str(place), "--parser", "delimited")
        assert reply["completed"] == len(files), reply["failures"]
        accepted, quarantined = landed(product, Role.ACCEPTED), landed(product, Role.QUARANTINE)
        assert reply["accepted"] == sum(map(Counter.total, accepted.values()))
        assert reply["quarantined"] == sum(map(Counter.total, quarantined.values()))
        for name, data in files.items():
            outcome = read_delimited(place / name)
            rows, rejected = parsed(outcome, Role.ACCEPTED), parsed(outcome, Role.QUARANTINE)
            source = digest_of(data)
            assert accepted[source] == rows, name
            assert quarantined[source] == rejected, name
            spans = sorted(outcome.spans)
            assert [0, *(end for _, end, _ in spans)] == [*(start for start, _, _ in spans), len(data)], name


@pytest.mark.invariant(8)
def test_every_row_that_a_damaged_file_holds_is_in_a_table_or_in_quarantine() -> None:
    settings(max_examples=SIMPLEST + 1)(given(st.lists(damaged_files(), min_size=FILES, max_size=FILES))(conserve))()


@pytest.mark.slow
def test_many_more_damaged_files_are_conserved() -> None:
    settings(max_examples=SIMPLEST + 4)(
        given(st.lists(damaged_files(), min_size=FILES, max_size=3 * FILES))(conserve)
    )()


@st.composite
def tables(draw: st.DrawFn) -> list[str]:
    """Lines of a table whose columns are mostly of one kind, with strays."""
    kinds = draw(st.lists(st.sampled_from(sorted(set(FAMILIES) - {"text"})), min_size=2, max_size=5))
    lines = []
    for number in range(draw(st.integers(4, 40))):
        cells = ["stray" if draw(st.integers(0, 25)) == 25 else draw(FAMILIES[kind]) for kind in kinds]
        lines.append(",".join([str(number), *cells]))
    return lines


def answers(files: list[list[str]], workers: int) -> tuple[list[tuple[str, str]], list[str]]:
    """The types of the one table that these files make, and its rows in no order."""
    width = files[0][0].count(",") + 1
    header = ",".join(["key", *(f"c{at}" for at in range(1, width))])
    evidence = {f"t_{chr(97 + number)}.csv": "\n".join([header, *lines, ""]) for number, lines in enumerate(files)}
    with a_home({name: text.encode() for name, text in evidence.items()}) as (product, place):
        product.run(str(place), "--table", "t", "--workers", str(workers))
        table = product.table("t")
        names = [name for name in table.column_names if not name.startswith("_cf_")]
        types = [(name, str(table.schema.field(name).type)) for name in names]
        return types, sorted(map(repr, table.select(names).to_pylist()))


def infer(lines: list[str], data: st.DataObject) -> None:
    whole = answers([lines], 1)
    shuffled = data.draw(st.permutations(lines))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(lines) - 1), min_size=1, max_size=3)))
    pieces = [shuffled[start:end] for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True)]
    assert answers(pieces, 3) == whole


def test_types_and_values_do_not_depend_on_the_order_of_rows_their_files_or_the_workers() -> None:
    settings(max_examples=SIMPLEST + 1)(given(tables(), st.data())(infer))()


@pytest.mark.slow
def test_more_tables_are_the_same_however_they_are_cut_and_read() -> None:
    settings(max_examples=SIMPLEST + 4)(given(tables(), st.data())(infer))()
