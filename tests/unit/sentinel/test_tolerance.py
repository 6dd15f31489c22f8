"""How many rows may be rejected, of what, and what happens beyond that."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.tolerances import Outcome, Per, Tolerance
from casparian_flow.sentinel.commit.tolerance import Brought, judge


def a_receipt(**tables: tuple[int, int]) -> Receipt:
    """A file's rows by table, as (accepted, rejected)."""
    counts = tuple(
        OutputCounts(table=table, emitted=sum(rows), accepted=rows[0], quarantined=rows[1])
        for table, rows in tables.items()
    )
    return Receipt(counts=counts, outputs=(), isolation="none", seconds=0.0, bytes_read=0)


def a_contract(table: str, *tolerances: Tolerance) -> Contract:
    return Contract(table, 1, (ContractColumn("n", "int64"),), tolerance=tolerances)


@pytest.mark.parametrize(
    ("tolerance", "rows", "is_held"),
    [
        (Tolerance(rows=2), (0, 2), False),
        (Tolerance(rows=2), (1000, 3), True),
        (Tolerance(rows=0), (5, 1), True),
        (Tolerance(ratio=0.1), (90, 10), False),
        (Tolerance(ratio=0.1), (89, 11), True),
        (Tolerance(ratio=0.1), (10, 89), False),
        (Tolerance(ratio=0.1, min_sample=99), (10, 89), True),
        (Tolerance(rows=5, ratio=0.5), (100, 6), True),
        (Tolerance(rows=500, ratio=0.5), (100, 101), True),
        (Tolerance(rows=0, outcome=Outcome.CONTINUE), (0, 5), False),
    ],
)
def test_a_count_holds_at_once_and_a_share_holds_once_there_are_rows_enough(
    tolerance: Tolerance, rows: tuple[int, int], is_held: bool
) -> None:
    error = judge(a_receipt(t=rows), Brought(), {"t": a_contract("t", tolerance)}, 1.0)
    assert (None if error is None else error.code) == ("over-tolerance" if is_held else None)


def test_the_strictest_outcome_of_those_that_are_broken_holds() -> None:
    contract = a_contract("t", Tolerance(rows=1), Tolerance(rows=3, outcome=Outcome.FAIL))
    two, four = (judge(a_receipt(t=(9, rejected)), Brought(), {"t": contract}, 1.0) for rejected in (2, 4))
    assert two is not None and two.code == "over-tolerance"
    assert four is not None and four.code == "tolerance-failed"
    assert four.message == "4 of 13 rows were rejected, more than 3 rows"


def test_the_share_of_the_settings_is_for_tables_that_say_nothing_themselves() -> None:
    contracts = {"own": a_contract("own", Tolerance(rows=100, per=Per.OUTPUT))}
    assert judge(a_receipt(own=(0, 90), other=(10, 0)), Brought(), contracts, 0.1) is None
    assert judge(a_receipt(own=(90, 0), other=(8, 2)), Brought(), contracts, 0.1) is not None


_tolerances = st.builds(
    Tolerance,
    rows=st.none() | st.integers(0, 6),
    ratio=st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    min_sample=st.integers(1, 12),
    per=st.sampled_from(Per),
    outcome=st.sampled_from(Outcome),
)
_files = st.dictionaries(st.sampled_from("ab"), st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1)


@settings(max_examples=150)
@given(
    files=st.lists(_files, min_size=1, max_size=4),
    own=st.fixed_dictionaries({name: st.lists(_tolerances, max_size=2) for name in "ab"}),
    share=st.sampled_from([0.2, 1.0]),
)
def test_a_run_lands_the_same_files_as_somebody_would_who_counts_by_hand(
    files: list[dict[str, tuple[int, int]]], own: dict[str, list[Tolerance]], share: float
) -> None:
    contracts = {name: a_contract(name, *each) for name, each in own.items()}
    brought, landed = Brought(), []
    for file in files:
        receipt = a_receipt(**file)
        error = judge(receipt, brought, contracts, share)
        assert (None if error is None else error.code) == by_hand(file, landed, own, share)
        if error is None:
            brought.add(receipt)
            landed.append(file)


def by_hand(
    file: dict[str, tuple[int, int]],
    landed: list[dict[str, tuple[int, int]]],
    own: dict[str, list[Tolerance]],
    share: float,
) -> str | None:
    worst: str | None = None
    unsaid = [rows for name, rows in file.items() if not own[name]]
    good, bad = sum(a for a, _ in unsaid), sum(r for _, r in unsaid)
    if bad and bad / (good + bad) > share:
        worst = "over-tolerance"
    for name in file:
        for each in own[name]:
            seen = {
                Per.FILE: list(file.values()),
                Per.OUTPUT: [file[name]],
                Per.RUN: [file[name], *(earlier[name] for earlier in landed if name in earlier)],
            }[each.per]
            good, bad = sum(a for a, _ in seen), sum(r for _, r in seen)
            too_many = each.rows is not None and bad > each.rows
            too_large = each.ratio is not None and good + bad >= each.min_sample and bad > each.ratio * (good + bad)
            if too_many or too_large:
                if each.outcome is Outcome.FAIL:
                    return "tolerance-failed"
                if each.outcome is Outcome.HOLD:
                    worst = "over-tolerance"
    return worst
