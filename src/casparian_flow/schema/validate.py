"""Each batch split by its table's contract into rows that fit and rejections that say why the others do not."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.drift import BUILT_IN, Axis, Mode, Modes, frozen_at
from casparian_flow.core.errors import ContractFrozen, UsageError
from casparian_flow.core.quarantine import Code
from casparian_flow.core.receipts import DriftNote
from casparian_flow.core.types import parse_type
from casparian_flow.schema.arrow import arrow_schema, normalise
from casparian_flow.schema.cast import cast_column
from casparian_flow.schema.cells import Ints, Mask, as_mask
from casparian_flow.schema.differences import Differences
from casparian_flow.schema.layouts import layouts
from casparian_flow.schema.rejections import REJECTION_SCHEMA, ColumnFault, rejections_of_rows
from casparian_flow.schema.rendering import as_text
from casparian_flow.schema.rescue import RESCUED_FIELD, Rescue, rescue
from casparian_flow.schema.row_rules import RowRules
from casparian_flow.schema.rules import compile_rules
from casparian_flow.sdk.emit import FIELD_ENCODING

_NOTHING_REJECTED = pa.RecordBatch.from_arrays(
    [pa.nulls(0, field.type) for field in REJECTION_SCHEMA], schema=REJECTION_SCHEMA
)
_LONGEST_DETAIL = 200
_TEMPORAL = frozenset({"date", "time", "timestamp", "timestamp_tz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """One batch after its contract. Every row is in `accepted` or in `rejected`; `rescued` counts values."""

    accepted: pa.RecordBatch
    accepted_row: pa.Array
    rejected: pa.RecordBatch
    rejected_row: pa.Array
    rescued: int


@dataclass(slots=True)
class _Judged:
    """What is found out about one batch. `columns` are the contract's, by name; `came` has where each of them came."""

    batch: pa.RecordBatch
    source_row: pa.Array
    columns: dict[str, pa.Array] = field(default_factory=dict)
    came: dict[str, int] = field(default_factory=dict)
    faults: list[ColumnFault] = field(default_factory=list)
    rescues: list[Rescue] = field(default_factory=list)


class Validator:
    """Validates the batches of one job against one contract and keeps count of the drift it meets."""

    def __init__(
        self, contract: Contract, modes: Modes = BUILT_IN, source: str = "", rows: RowRules | None = None
    ) -> None:
        """`modes` hold where the contract has none of its own; `source` is the hash of the bytes that rows come from.

        Without `rows`, rules about a row among others are not asked.

        Raises UsageError if the contract names a type or a format that cannot be read, RuleInvalid if it has a rule
        that cannot be asked.
        """
        for column in contract.columns:
            kind = parse_type(column.type)
            if kind.name in _TEMPORAL:
                layouts(kind.name, column.format)
            elif column.format is not None:
                raise UsageError(f"column {column.name!r} is {column.type}, which takes no format")
        self.contract = contract
        self.modes = modes.with_overrides(contract.drift)
        self.schema = pa.schema([*(field.with_nullable(True) for field in arrow_schema(contract)), RESCUED_FIELD])
        self._rules = compile_rules(contract)
        self._row_rules = rows
        self._columns = {column.name: column for column in contract.columns}
        self._differences = Differences(source)
        self._rows = 0

    def afresh(self, source: str | None = None, rows: RowRules | None = None) -> Validator:
        """The same contract for the rows of other bytes, whose drift is counted by itself.

        Without a `source` it only tells whether there is any.
        """
        other = copy(self)
        other._differences = Differences(source)
        other._row_rules = rows
        other._rows = 0
        return other

    def validate(
        self,
        batch: pa.RecordBatch,
        source_row: pa.Array,
        start: pa.Array | None = None,
        end: pa.Array | None = None,
        kept: Sequence[Rescue] = (),
        faults: Sequence[ColumnFault] = (),
    ) -> Validated:
        """Split a batch. `accepted` has `schema`; nothing is changed on the way but types and the order of columns.

        Columns match by name or by an older name; those of a table without headers by their place. What becomes of
        the rest is a matter of the modes. `kept` are values to keep beside the rows, before any other; `faults` are
        known of them already, and come first. Raises ContractFrozen where the modes say so.
        """
        judged = _Judged(normalise(batch), source_row, faults=list(faults), rescues=list(kept))
        self._rows += batch.num_rows
        names = self._names(judged.batch)
        place = {name: at for at, name in enumerate(names)}
        for column in self.contract.columns:
            self._take(judged, column, _place_of(column, place))
        if self._rules:
            self._ask_rules(judged)
        self._take_new(judged, names)
        if self._row_rules is not None:
            self._ask_row_rules(judged, self._row_rules)
        rescued = rescue(judged.rescues, batch.num_rows)
        accepted = pa.RecordBatch.from_arrays([*judged.columns.values(), rescued], schema=self.schema)
        if not judged.faults:
            values_rescued = len(rescued.values) if rescued.null_count < len(rescued) else 0
            return Validated(
                accepted=accepted,
                accepted_row=source_row,
                rejected=_NOTHING_REJECTED,
                rejected_row=source_row.slice(0, 0),
                rescued=values_rescued,
            )
        version = self.contract.version
        rejected, rows = rejections_of_rows(judged.batch, judged.faults, contract_version=version, start=start, end=end)
        keep = np.ones(batch.num_rows, np.bool_)
        keep[rows] = False
        kept = pa.array(keep)
        accepted = accepted.filter(kept)
        return Validated(
            accepted=accepted,
            accepted_row=source_row.filter(kept),
            rejected=rejected,
            rejected_row=source_row.take(pa.array(rows)),
            rescued=len(accepted.column(len(self.contract.columns)).flatten()),
        )

    def conclude(self) -> None:
        """All rows have come: raises ContractFrozen if a column that may not be missing was in none of them."""
        for column in self.contract.columns:
            if self._rows and self._differences.rows(Axis.MISSING_COLUMN, column.name) == self._rows:
                self._check_frozen(Axis.MISSING_COLUMN, f"no column {column.name!r}")

    @property
    def has_drift(self) -> bool:
        """Whether any row so far differs from the contract."""
        return bool(self._differences)

    def drift(self) -> list[DriftNote]:
        """How all batches so far differ from the contract, with the rows concerned, in a fixed order."""
        return self._differences.notes(self.contract.table)

    def _names(self, batch: pa.RecordBatch) -> list[str]:
        """The contract's name for each column of the batch, or the batch's own."""
        if not self.contract.headerless:
            return list(batch.schema.names)
        expected = self.contract.names
        return [*expected[: batch.num_columns], *(f"column_{at + 1}" for at in range(len(expected), batch.num_columns))]

    def _take(self, judged: _Judged, column: ContractColumn, at: int | None) -> None:
        """One column of the contract: its values, and which of them do not fit."""
        if at is None:
            self._miss(judged, column)
            return
        judged.came[column.name] = at
        source = judged.batch.column(at)
        tagged = _is_tagged(judged.batch.schema.field(at))
        judged.columns[column.name], failed = cast_column(source, column, tagged=tagged)
        if failed is not None:
            expected = f"{column.type} {column.format}" if column.format else column.type
            self._note(judged, Axis.TYPE, column.name, f"expected {expected}", failed, at)
            self._check_frozen(Axis.TYPE, f"{column.name} has values that are no {expected}")
            self._dispose(judged, Axis.TYPE, f"{Code.CAST}.{parse_type(column.type).name}", column, expected, failed)
        if not column.nullable and source.null_count:
            empty: Mask = as_mask(source.is_null())
            expected = f"{column.type}, never null"
            self._note(judged, Axis.NULLABILITY, column.name, f"expected {expected}", empty)
            self._check_frozen(Axis.NULLABILITY, f"{column.name} has nulls")
            judged.faults.append(ColumnFault(Code.NULL, column.name, expected, None, empty))

    def _miss(self, judged: _Judged, column: ContractColumn) -> None:
        """A column that the batch does not have. Whether the file has it nowhere is known at its end only."""
        rows = judged.batch.num_rows
        everything = np.ones(rows, np.bool_)
        judged.columns[column.name] = pa.nulls(rows, self.schema.field(column.name).type)
        self._note(judged, Axis.MISSING_COLUMN, column.name, f"expected {column.type}", everything)
        if rows and not column.nullable:
            self._check_frozen(Axis.MISSING_COLUMN, f"no column {column.name!r}")
            judged.faults.append(ColumnFault(Code.MISSING_COLUMN, column.name, column.type, None, everything))

    def _ask_rules(self, judged: _Judged) -> None:
        """The rules about values, one after another: a value that one rule has set aside is not asked again."""
        for rule, expected, failed in self._rules.faults(judged.columns):
            column = self._columns[rule.columns[0]]
            self._note(judged, Axis.RULE, column.name, rule.name, failed, judged.came[column.name])
            self._check_frozen(Axis.RULE, f"{column.name} breaks rule {rule.name}")
            self._dispose(judged, Axis.RULE, rule.code, column, expected, failed)

    def _ask_row_rules(self, judged: _Judged, rules: RowRules) -> None:
        """The rules about a row among others, of the rows that fit so far: there is no value to set aside."""
        fits = np.ones(judged.batch.num_rows, np.bool_)
        for fault in judged.faults:
            fits &= ~fault.failed
        for rule, expected, rows, observed in rules.faults(judged.columns, np.flatnonzero(fits)):
            failed = np.zeros(judged.batch.num_rows, np.bool_)
            failed[rows] = True
            column = ", ".join(rule.columns)
            numbers = np.asarray(judged.source_row, dtype=np.int64)[failed]
            self._differences.note(Axis.RULE, column, rule.name, numbers, observed, pa.field(column, pa.string()))
            self._check_frozen(Axis.RULE, f"{column} breaks rule {rule.name}")
            judged.faults.append(ColumnFault(rule.code, column, expected, observed, failed))

    def _dispose(
        self, judged: _Judged, axis: Axis, code: str, column: ContractColumn, expected: str, failed: Mask
    ) -> None:
        """Values that do not fit: set aside where the mode says so and the column may be null, else their rows go."""
        at = judged.came[column.name]
        source, tagged = judged.batch.column(at), _is_tagged(judged.batch.schema.field(at))
        which = pa.array(failed)
        if self.modes.of(axis) is Mode.RESCUE_VALUE and column.nullable:
            kept = pc.if_else(which, source, pa.scalar(None, source.type))
            judged.rescues.append(Rescue(column.name, kept, code, tagged))
            values = judged.columns[column.name]
            judged.columns[column.name] = pc.if_else(which, pa.scalar(None, values.type), values)
            return
        observed = as_text(source.filter(which), tagged=tagged)
        judged.faults.append(ColumnFault(code, column.name, expected, observed, failed))

    def _take_new(self, judged: _Judged, names: list[str]) -> None:
        """Columns that the contract does not have."""
        known = set(judged.came.values())
        for at, name in enumerate(names):
            if at in known:
                continue
            values, form = judged.batch.column(at), judged.batch.schema.field(at)
            if values.null_count == len(values):
                continue
            there = as_mask(values.is_valid())
            self._note(judged, Axis.NEW_COLUMN, name, str(form.type)[:_LONGEST_DETAIL], there, at)
            self._check_frozen(Axis.NEW_COLUMN, f"{name!r} is no column of it")
            if self.modes.new_column is Mode.QUARANTINE_ROW:
                observed = as_text(values.drop_null(), tagged=_is_tagged(form))
                judged.faults.append(ColumnFault(Code.NEW_COLUMN, name, "no such column", observed, there))
            else:
                judged.rescues.append(Rescue(name, values, Code.NEW_COLUMN, _is_tagged(form)))

    def _note(self, judged: _Judged, axis: Axis, column: str, detail: str, which: Mask, at: int | None = None) -> None:
        """Keep that rows differ; `at` is where their values came, if there are any."""
        rows: Ints = np.asarray(judged.source_row, dtype=np.int64)[which]
        if at is None:
            self._differences.note(axis, column, detail, rows)
        else:
            values = judged.batch.column(at).filter(pa.array(which))
            self._differences.note(axis, column, detail, rows, values, judged.batch.schema.field(at))

    def _check_frozen(self, axis: Axis, what: str) -> None:
        """Raises ContractFrozen if the mode of the axis says so, where there is something that differs on it."""
        if self.modes.of(axis) is Mode.FREEZE:
            raise ContractFrozen(
                f"{self.contract.table}@{frozen_at(self.contract.hash, self.modes.digest)} is frozen: {what}",
                why=f"the mode of {axis} is {Mode.FREEZE}",
                fix=f"casparian contract show {self.contract.table}",
            )


def _place_of(column: ContractColumn, place: dict[str, int]) -> int | None:
    """Where a batch has the column: under its name, else under an older one."""
    at = place.get(column.name)
    if at is None and column.aliases:
        return next((place[name] for name in column.aliases if name in place), None)
    return at


def _is_tagged(field: pa.Field) -> bool:
    return bool((field.metadata or {}).get(FIELD_ENCODING) == b"json")
