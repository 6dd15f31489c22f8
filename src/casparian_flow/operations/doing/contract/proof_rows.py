"""The rows that a table has now, asked whether they would fit another contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from casparian_flow.core.amendments import Narrow, Op, Tighten, Widen
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import Axis, Mode, Modes
from casparian_flow.core.errors import NotFound
from casparian_flow.core.lineage import JOB_ID
from casparian_flow.core.outputs import Role
from casparian_flow.core.rules import Rule
from casparian_flow.core.treatments import Treatment, treatment_in_force
from casparian_flow.core.types import parse_type
from casparian_flow.schema.amend import column_of
from casparian_flow.schema.validate import Validator
from casparian_flow.sinks.base import Sink


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRows:
    """`failing` of the `checked` rows would not fit, both by the job that brought them.

    `why` names what can only be told from the files.
    """

    checked: Counter[int] = field(default_factory=Counter)
    failing: Counter[int] = field(default_factory=Counter)
    why: str = ""


def check_stored(sink: Sink, base: Contract, new: Contract, operations: Iterable[Op], modes: Modes) -> StoredRows:
    """How many of the accepted rows in a sink would be rejected; only columns that are judged otherwise are read.

    Raises what reading the sink raises.
    """
    asked = list(operations)
    columns = _judged_anew(base, asked)
    rules = tuple(rule for rule in new.rules if rule not in base.rules)
    if (why := _unknowable(base, asked, rules)) or not (columns or rules):
        return StoredRows(why=why)
    names = _names_now(base, new)
    wanted = {names[name] for name in columns} | {name for rule in rules for name in rule.columns}
    part = replace(
        new, columns=tuple(column for column in new.columns if column.name in wanted), rules=rules, headerless=False
    )
    validator = Validator(replace(part, drift=()), _never_freezing(modes.with_overrides(new.drift)))
    stored = {names[column.name]: column.name for column in base.columns if names.get(column.name) in wanted}
    return _count(sink, base.table, stored, validator)


def _judged_anew(base: Contract, operations: Iterable[Op]) -> set[str]:
    """The columns, by their old names, of which values that fit may not fit any more."""
    found = set()
    for each in operations:
        if isinstance(each, Narrow) or (isinstance(each, Tighten) and each.column is not None):
            assert each.column is not None
            found.add(each.column)
    return found


def _unknowable(base: Contract, operations: Iterable[Op], rules: Iterable[Rule]) -> str:
    """Why the rows in the table cannot answer: what stands there is not what the file has."""
    for each in operations:
        if isinstance(each, Widen | Narrow):
            column = column_of(base, each.column)
            if isinstance(each, Narrow) and parse_type(column.type).name != "string":
                return f"{column.name} stands in the table as {column.type}, not as its files have it"
            if not _is_kept(column):
                return f"{column.name} does not stand in the table as its files have it"
    for rule in rules:
        if rule.is_about_rows:
            return f"rule {rule.name} is about rows in the order of their files"
        if any(not _is_kept(column) for column in base.columns if column.name in rule.columns):
            return f"rule {rule.name} is about values that do not stand in the table"
    return ""


def as_it_stands(contract: Contract) -> Contract:
    """The part of a contract that its rows in a table can be held against: columns that stand there as they came."""
    columns = tuple(column for column in contract.columns if _is_kept(column))
    names = {column.name for column in columns}
    rules = tuple(rule for rule in contract.rules if names.issuperset(rule.columns))
    return replace(contract, columns=columns, rules=rules)


def _is_kept(column: ContractColumn) -> bool:
    return treatment_in_force(column.sensitivity, column.treatment) is Treatment.KEEP


def stored_names(base: Contract, new: Contract) -> dict[str, str]:
    """The columns of a contract that the table has under the one in force, with their names there."""
    return {now: before for before, now in _names_now(base, new).items()}


def _names_now(base: Contract, new: Contract) -> dict[str, str]:
    """The new name of every old column that is still there."""
    renamed = {alias: column.name for column in new.columns for alias in column.aliases}
    return {name: renamed.get(name, name) for name in base.names if renamed.get(name, name) in new.names}


def _never_freezing(modes: Modes) -> Modes:
    frozen = [axis for axis in Axis if modes.of(axis) is Mode.FREEZE]
    return modes.with_overrides((axis, Mode.QUARANTINE_ROW) for axis in frozen)


def _count(sink: Sink, table: str, stored: dict[str, str], validator: Validator) -> StoredRows:
    checked, failing = Counter[int](), Counter[int]()
    try:
        with closing(sink.read(table, Role.ACCEPTED)) as reader:
            there = {new: old for new, old in stored.items() if old in reader.schema.names}
    except NotFound:  # no row of the table was ever accepted
        return StoredRows()
    with closing(sink.read(table, Role.ACCEPTED, columns=[*there.values(), JOB_ID])) as reader:
        for batch in reader:
            jobs = batch.column(JOB_ID).to_numpy()
            values = batch.select(list(there.values())).rename_columns(list(there))
            place = np.arange(checked.total() + 1, checked.total() + 1 + batch.num_rows, dtype=np.int64)
            found = validator.validate(values, pa.array(place))
            fails = ~np.isin(place, found.accepted_row.to_numpy())
            _add(checked, jobs)
            _add(failing, jobs[fails])
    return StoredRows(checked=checked, failing=failing)


def _add(counts: Counter[int], jobs: npt.NDArray[np.int64]) -> None:
    found, times = np.unique(jobs, return_counts=True)
    counts.update(dict(zip(found.tolist(), times.tolist(), strict=True)))
