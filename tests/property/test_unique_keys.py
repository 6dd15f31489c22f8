"""Keys that are there once, against a set: whatever is spilled, however rows are cut, whoever is rejected before."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.schema.owned_keys import OwnedKeys
from casparian_flow.schema.row_rules import RowRules
from casparian_flow.schema.seen_keys import SeenKeys, key_column
from casparian_flow.schema.validate import Validator

FILE = UniqueScope.FILE
COLUMNS = (ContractColumn("a", "int64"), ContractColumn("b", "string"), ContractColumn("n", "int64", nullable=False))
RULES = st.lists(
    st.sampled_from(
        [
            Rule("a_once", RuleKind.UNIQUE, ("a",), scope=FILE),
            Rule("b_once", RuleKind.UNIQUE, ("b",), scope=FILE),
            Rule("both_once", RuleKind.UNIQUE, ("a", "b"), scope=FILE),
        ]
    ),
    min_size=1,
    unique=True,
)
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 60).map(str),
        st.none() | st.sampled_from(["", "1", "1:1", "x", *map(str, range(40))]),
        st.sampled_from(["1", "1", "1", "x"]),
    ),
    max_size=160,
)


def oracle(rules: list[Rule], rows: list[tuple[Any, Any, Any]]) -> list[list[str]]:
    """Of each row the rules that it breaks; it claims its keys only if it breaks none and fits in every other way."""
    claimed: dict[str, set[tuple[Any, ...]]] = {rule.name: set() for rule in rules}
    found = []
    for a, b, n in rows:
        row = {"a": a, "b": b}
        keys = {rule.name: tuple(row[name] for name in rule.columns) for rule in rules}
        keys = {name: key for name, key in keys.items() if None not in key}
        fits = n == "1"
        broken = [name for name, key in keys.items() if key in claimed[name]] if fits else ["n"]
        found.append(broken)
        if not broken:
            for name, key in keys.items():
                claimed[name].add(key)
    return found


@settings(max_examples=60, deadline=None)
@given(RULES, ROWS, st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_the_first_row_that_is_accepted_keeps_its_key(
    rules: list[Rule], rows: list[tuple[Any, Any, Any]], sizes: list[int]
) -> None:
    contract = Contract("t", 1, COLUMNS, rules=tuple(rules))
    expected = oracle(rules, rows)
    with tempfile.TemporaryDirectory() as folder:
        validator = Validator(contract, rows=RowRules(contract, Path(folder), most=64))
        at, got = 0, {}
        while at < len(rows):
            some = rows[at : at + sizes[at % len(sizes)]]
            batch = pa.record_batch({name: [row[i] for row in some] for i, name in enumerate("abn")})
            found = validator.validate(batch, pa.array(range(at, at + len(some)), pa.int64()))
            got |= {number: [] for number in found.accepted_row.to_pylist()}
            for number, errors in zip(
                found.rejected_row.to_pylist(), found.rejected["errors"].to_pylist(), strict=True
            ):
                names = [each["expected"].rpartition("(")[2].rstrip(")") for each in errors]
                got[number] = ["n"] if names == ["int64"] else names
            at += len(some)
        assert list(Path(folder).iterdir()) == []
    assert [got[number] for number in range(len(rows))] == expected


def test_keys_beyond_what_fits_into_memory_are_found_again(tmp_path: Path) -> None:
    keys = key_column([pa.array(range(3000))]).digests
    seen = SeenKeys(tmp_path, most=64)
    for at in range(0, 2000, 37):
        seen.add(keys[at : min(at + 37, 2000)])
    assert seen.has(keys[:2000]).all()
    assert not seen.has(keys[2000:]).any()
    assert not seen.has(keys[:0]).any()


def test_keys_do_not_run_into_one_another() -> None:
    pairs = [("1", "1:1"), ("1:1", "1"), ("11", ":1"), ("", "x"), ("x", ""), ("1,1", "1"), ("1", "1,1")]
    found = key_column([pa.array([one for one, _ in pairs]), pa.array([other for _, other in pairs])])
    assert len(set(found.digests.tolist())) == len(pairs)
    halves = key_column([pa.array([None, ""]), pa.array(["x", "x"])])
    assert halves.is_whole.tolist() == [False, True]
    assert np.dtype("S16") == found.digests.dtype


def test_keys_of_jobs_that_went_are_gone_unless_another_job_brought_them_wherever_they_lie(tmp_path: Path) -> None:
    keys = key_column([pa.array(range(600))]).digests
    owned = OwnedKeys(tmp_path, most=64)
    for job in range(12):
        some = keys[job * 50 : job * 50 + 60]
        owned.add(some, np.full(len(some), job, np.int64))
    left = owned.without([3, 4, 11])
    owned.add(keys[160:170], np.full(10, 12, np.int64))
    expected = np.ones(600, np.bool_)
    expected[160:250] = expected[560:600] = False
    assert left.has(keys).tolist() == expected.tolist()
    assert owned.has(keys).all()
    assert not left.without(range(12)).has(keys).any()
    for jobs in ([], [3], [3, 4, 11], range(12), range(13)):
        beside = owned.has_beside(keys, jobs)
        assert beside.tolist() == owned.without(jobs).has(keys).tolist(), jobs
