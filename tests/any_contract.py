"""Contracts of every kind that can be kept, for the laws about contracts in other words."""

from __future__ import annotations

from hypothesis import strategies as st

from casparian_flow.core.contract_checks import check_contract
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import ALLOWED, Axis, Mode
from casparian_flow.core.errors import UsageError
from casparian_flow.core.rules import Rule, RuleKind, UniqueScope
from casparian_flow.core.tolerances import Outcome, Per, Tolerance
from casparian_flow.core.treatments import Sensitivity, Treatment
from casparian_flow.schema.rules import compile_rules

TYPES = (
    "boolean int64 float64 date time timestamp duration string binary json decimal(10,2) timestamp_tz(UTC) "
    "list<string> struct<a:int64,b:list<date>>"
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.one_of(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), texts.filter(lambda text: bool(text.strip())),
    st.sampled_from(["no", "null", "1", "2024-01-01", "~", "a: b", "- x", "'", "#"]),
).filter(lambda name: not name.casefold().startswith("_cf_"))  # fmt: skip


@st.composite
def _columns(draw: st.DrawFn) -> tuple[ContractColumn, ...]:
    found = []
    named = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    older = draw(st.lists(names.filter(lambda name: name not in named), max_size=2, unique=True))
    for at, name in enumerate(named):
        treatment = draw(st.none() | st.sampled_from(Treatment))
        argument = {Treatment.FIXED: "xxx", Treatment.PARTIAL: "1-2"}.get(treatment) if treatment else None
        found.append(
            ContractColumn(
                name=name,
                type=draw(st.sampled_from(TYPES.split())).replace(":", ": ").replace(",b", ", b"),
                nullable=draw(st.booleans()),
                format=draw(st.none() | texts),
                description=draw(texts),
                sensitivity=draw(st.sampled_from(Sensitivity)).value,
                original=draw(st.none() | texts),
                note=draw(st.sampled_from(["", "two formats are possible"])),
                treatment=treatment,
                treatment_argument=argument,
                aliases=tuple(older) if at == 0 else (),
            )
        )
    return tuple(found)


def _rule(draw: st.DrawFn, name: str, column: ContractColumn) -> Rule:
    low, high = draw(st.sampled_from([("0", None), ("-5", "70"), (None, "9" * 18)]))
    match draw(st.sampled_from(RuleKind)):
        case RuleKind.RANGE if column.type == "int64":
            return Rule(name, RuleKind.RANGE, (column.name,), low=low, high=high)
        case RuleKind.SET if column.type == "int64":
            return Rule(name, RuleKind.SET, (column.name,), values=("1", "22"))
        case RuleKind.PATTERN:
            return Rule(name, RuleKind.PATTERN, (column.name,), pattern=draw(st.sampled_from(["[a-z]+", "a|b", "^x$"])))
        case RuleKind.LENGTH:
            return Rule(name, RuleKind.LENGTH, (column.name,), low="1", high=draw(st.none() | st.just("40")))
        case RuleKind.UNIQUE:
            return Rule(name, RuleKind.UNIQUE, (column.name,), scope=draw(st.sampled_from(UniqueScope)))
        case _:
            return Rule(name, RuleKind.REFERENCE, (column.name,), table="other", references=("id",))


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Any contract; rules that it could not keep are left out of it."""
    columns = draw(_columns())
    tolerance = Tolerance(
        rows=draw(st.none() | st.integers(0, 9)),
        ratio=draw(st.floats(0, 1)),
        per=draw(st.sampled_from(Per)),
        outcome=draw(st.sampled_from(Outcome)),
    )
    axes = draw(st.lists(st.sampled_from([axis for axis in Axis if axis is not Axis.NEW_OUTPUT]), unique=True))
    contract = Contract(
        table=draw(st.from_regex(r"[a-z][a-z0-9_]{0,10}", fullmatch=True)),
        version=draw(st.integers(1, 9)),
        columns=columns,
        headerless=draw(st.booleans()) and not columns[0].aliases,
        drift=tuple((axis, draw(st.sampled_from([mode for mode in Mode if mode in ALLOWED[axis]]))) for axis in axes),
        tolerance=draw(st.sampled_from([(), (tolerance,)])),
        takes_undeclared=draw(st.sampled_from([(), ("own",)])),
        earlier=draw(st.sampled_from([(), (("was",), ("was", "there"))])),
    )
    for at in range(draw(st.integers(0, 4))):
        rule = _rule(draw, f"rule {at}", draw(st.sampled_from(columns)))
        try:
            wider = Contract(**{**_fields(contract), "rules": (*contract.rules, rule)})
            check_contract(wider)
            compile_rules(wider)
        except UsageError:
            continue
        contract = wider
    return contract


def _fields(contract: Contract) -> dict[str, object]:
    return {name: getattr(contract, name) for name in Contract.__dataclass_fields__}
