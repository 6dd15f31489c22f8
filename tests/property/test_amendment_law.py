"""Laws of changes: what a verdict promises holds for any rows, and drift asks for the same in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.amendments import Add, Drop, Narrow, Op, Reclassify, Relax, Rename, SetDrift, Tighten, Widen
from casparian_flow.core.contract_checks import check_contract
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.proofs import cause_signature
from casparian_flow.core.rules import Rule, RuleKind
from casparian_flow.core.tables import choose_table
from casparian_flow.core.treatments import Sensitivity
from casparian_flow.schema.amend import amended
from casparian_flow.schema.compatibility import risk_of, verdicts
from casparian_flow.schema.lattice import holds, join
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.validate import Validator

NAMES = ("a", "b", "c")
TYPES = ("int64", "decimal(22,1)", "decimal(4,2)", "float64", "boolean", "date", "string", "json", "list<int64>")
TYPE = st.sampled_from(TYPES)
NAME = st.sampled_from(NAMES)
TEXTS = " 0 -0 7 -12 1.5 .5 5. 1e5 1.50 9223372036854775807 12345678901234567890 true FALSE 2024-01-31 [1,2] x {}"
CELLS = st.sampled_from(TEXTS.split(" "))
RULES = st.one_of(
    st.builds(
        lambda name, low, high: Rule(name, RuleKind.RANGE, ("a",), low=low, high=high),
        st.sampled_from(["r", "s"]),
        st.sampled_from(["-3", "0"]),
        st.sampled_from(["1", "8"]),
    ),
    st.builds(
        lambda name, values: Rule(name, RuleKind.SET, ("a",), values=values),
        st.sampled_from(["r", "s"]),
        st.sampled_from([("0", "7"), ("0", "7", "-12")]),
    ),
    st.builds(
        lambda name, low, high: Rule(name, RuleKind.LENGTH, ("b",), low=low, high=high),
        st.sampled_from(["r", "s"]),
        st.sampled_from(["0", "1"]),
        st.sampled_from(["3", "9", None]),
    ),
)
OPERATIONS: st.SearchStrategy[Op] = st.one_of(
    st.builds(lambda name, kind, null: Add(column=ContractColumn(name, kind, null)), NAME, TYPE, st.booleans()),
    st.builds(lambda name, kind: Widen(column=name, type=kind), NAME, TYPE),
    st.builds(lambda name, kind: Narrow(column=name, type=kind), NAME, TYPE),
    st.builds(lambda name, to: Rename(column=name, to=to), NAME, st.sampled_from(["c", "d"])),
    st.builds(lambda name: Relax(column=name), NAME),
    st.builds(lambda rule: Relax(rule=rule.name, to=rule), RULES),
    st.builds(lambda name: Relax(rule=name), st.sampled_from(["r", "s"])),
    st.builds(lambda name: Tighten(column=name), NAME),
    st.builds(lambda rule: Tighten(rule=rule), RULES),
    st.builds(lambda name: Drop(column=name), NAME),
    st.builds(lambda name: Reclassify(column=name, sensitivity=Sensitivity.PERSONAL), NAME),
    st.builds(
        lambda axis, mode: SetDrift(axis=axis, mode=mode),
        st.sampled_from([Axis.TYPE, Axis.NEW_COLUMN, Axis.RULE]),
        st.sampled_from([Mode.PROPOSE, Mode.QUARANTINE_ROW, Mode.RESCUE_VALUE]),
    ),
)


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    columns = tuple(ContractColumn(name, draw(TYPE), draw(st.booleans())) for name in NAMES[: draw(st.integers(1, 3))])
    contract = Contract("t", 1, columns)
    ruled = replace(contract, rules=tuple(draw(st.lists(RULES, max_size=1))))
    return ruled if is_kept(ruled) else contract


def is_kept(contract: Contract) -> bool:
    try:
        check_contract(contract)
        Validator(contract)
    except CasparianError:
        return False
    return True


@st.composite
def changes(draw: st.DrawFn) -> tuple[Contract, list[Op]]:
    """A contract and operations that can be done to it, of some that were drawn."""
    base = draw(contracts())
    operations: list[Op] = []
    for each in draw(st.lists(OPERATIONS, min_size=4, max_size=8)):
        try:
            amended(base, [*operations, each])
        except CasparianError:
            continue
        operations.append(each)
    return base, operations or [Add(column=ContractColumn("z", "string"))]


@settings(max_examples=100, deadline=None)
@given(changes(), st.booleans(), st.data())
def test_whatever_belonged_to_a_table_belongs_to_it_after_any_change(
    change: tuple[Contract, list[Op]], headerless: bool, data: st.DataObject
) -> None:
    contract, operations = change
    names = data.draw(st.lists(st.sampled_from([*contract.names, "x", "y"]), min_size=1, unique=True))
    belonged = False
    for operation in operations:
        belonged |= _takes(contract, names, headerless=headerless)
        contract = amended(contract, [operation])
        assert _takes(contract, names, headerless=headerless) or not belonged


def _takes(contract: Contract, names: Sequence[str], *, headerless: bool) -> bool:
    table, older = contract.table, {contract.table: contract.older_names}
    return choose_table(table, names, {table: contract.shapes}, headerless=headerless, older=older) == table


@settings(max_examples=100, deadline=None)
@given(changes(), st.data())
def test_no_row_that_fits_is_rejected_after_a_change_that_is_said_to_read_old_rows(
    change: tuple[Contract, list[Op]], data: st.DataObject
) -> None:
    base, operations = change
    judge, verdict, new = Validator(base), verdicts(base, operations), Validator(amended(base, operations))
    names = data.draw(st.permutations(base.names))[: data.draw(st.integers(1, len(base.names)))]
    rows = data.draw(st.integers(1, 6))
    cells = [data.draw(st.lists(st.none() | CELLS, min_size=rows, max_size=rows)) for _ in names]
    batch = pa.RecordBatch.from_arrays([pa.array(each, pa.string()) for each in cells], names=list(names))
    place = pa.array(range(1, rows + 1), pa.int64())
    before = set(judge.validate(batch, place).accepted_row.to_pylist())
    after = new.validate(batch, place)
    if verdict.reads_old:
        assert before <= set(after.accepted_row.to_pylist()), (operations, verdict)
    if verdict.keeps_readers:
        kept = after.accepted.select([name for name in base.names if name in after.accepted.schema.names])
        assert kept.schema.names == list(base.names), "readers find every column"
        assert not Validator(base).validate(kept, after.accepted_row).rejected.num_rows, (operations, verdict)
    else:
        assert verdict.because
    risk_of(base, operations)


@settings(max_examples=50, deadline=None)
@given(TYPE, st.lists(CELLS, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_joined_type_takes_every_value_that_was_found_and_is_the_same_in_any_order(
    kind: str, cells: list[str], random
) -> None:
    found = _survey(cells).columns["a"]
    joined = join(kind, found)
    assert join(kind, _survey(random.sample(cells, len(cells))).columns["a"]) == joined
    if joined is None:
        return
    judge = Validator(Contract("t", 1, (ContractColumn("a", joined),)))
    batch = pa.RecordBatch.from_arrays([pa.array(cells)], names=["a"])
    assert not judge.validate(batch, pa.array(range(len(cells)), pa.int64())).rejected.num_rows
    if holds(joined, kind):
        assert verdicts(Contract("t", 1, (ContractColumn("a", kind),)), [Widen(column="a", type=joined)]).reads_old


def _survey(cells: Sequence[str]) -> Survey:
    return Survey.of(pa.RecordBatch.from_arrays([pa.array(cells)], names=["a"]), source="blake3:1")


CAUSES = st.tuples(st.text(max_size=3), st.sampled_from(Axis), st.text(max_size=3), st.text(max_size=3))


@settings(max_examples=100, deadline=None)
@given(CAUSES, CAUSES)
def test_two_causes_have_one_signature_only_if_they_are_one(one: tuple, other: tuple) -> None:
    assert (cause_signature(*one) == cause_signature(*other)) == (one == other)
