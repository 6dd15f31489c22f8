"""What all rows of an output say about its columns: the mergeable state from which a contract is drafted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from casparian_flow.core.errors import ParserFailed, UsageError
from casparian_flow.core.types import parse_type
from casparian_flow.schema.arrow import normalise, type_name
from casparian_flow.schema.column_survey import ColumnSurvey, added
from casparian_flow.schema.positions import Positions
from casparian_flow.schema.survey_wire import decode, encode
from casparian_flow.schema.verdict import ColumnVerdict, decide
from casparian_flow.sdk.emit import FIELD_ENCODING, FIELD_ORIGINAL, FIELD_TYPE

MAX_COLUMNS = 10_000
"""More columns in one output are refused: names that are really values would grow the state without bound."""
_EXACT_FLOATS = 1 << 53


@dataclass(slots=True)
class Survey:
    """The columns of one output over all rows taken in so far.

    Taking in rows and merging surveys commute: order of rows, files and merges, and how rows are cut into batches,
    never change the state, provided that rows bring their source and their number.
    """

    columns: dict[str, ColumnSurvey]
    rows: int = 0

    @classmethod
    def empty(cls) -> Survey:
        """The survey of no rows."""
        return cls({})

    @classmethod
    def of(cls, batch: pa.RecordBatch, source_row: pa.Array | None = None, source: str = "") -> Survey:
        """The survey of one batch; `source` is the hash of the bytes it came from."""
        survey = cls.empty()
        survey.add(batch, source_row, source)
        return survey

    def add(self, batch: pa.RecordBatch, source_row: pa.Array | None = None, source: str = "") -> None:
        """Take in a batch. Without `source_row`, rows are numbered on from those taken in before."""
        if source_row is None:
            source_row = pa.array(np.arange(self.rows + 1, self.rows + 1 + batch.num_rows, dtype=np.int64))
        self.add_from(batch, source_row, [(source, batch.num_rows)])

    def add_from(self, batch: pa.RecordBatch, source_row: pa.Array, sources: Sequence[tuple[str, int]]) -> None:
        """Take in rows of several sources at once: `sources` say, in order, from which so many rows come."""
        batch = normalise(batch)
        if len(self.columns.keys() | set(batch.schema.names)) > MAX_COLUMNS:
            raise ParserFailed(f"an output has more than {MAX_COLUMNS} columns")
        rows, order = Positions.sorted(np.asarray(source_row, dtype=np.int64), sources)
        if order is not None:
            batch = batch.take(pa.array(order))
        for at, field in enumerate(batch.schema):
            state = self.columns.setdefault(field.name, ColumnSurvey(first=at))
            _take_in(state, at, field, batch.column(at), rows)
        self.rows += batch.num_rows

    def merge(self, other: Survey) -> Survey:
        """The survey of both sets of rows; commutative and associative."""
        merged = {}
        for name in {**self.columns, **other.columns}:
            mine, theirs = self.columns.get(name), other.columns.get(name)
            known = mine or theirs
            assert known is not None
            blank = ColumnSurvey(first=known.first)
            merged[name] = (mine or blank).merge(theirs or blank)
        return Survey(merged, self.rows + other.rows)

    def renamed(self, names: Mapping[str, str]) -> Survey:
        """The same survey under other column names; those not mentioned keep theirs."""
        return Survey({names.get(name, name): column for name, column in self.columns.items()}, self.rows)

    def closed(self, said: str) -> Survey:
        """The same survey with masks in place of all values."""
        return Survey({name: column.closed(said) for name, column in self.columns.items()}, self.rows)

    @property
    def names(self) -> list[str]:
        """The columns by their mean position over all rows."""
        return sorted(self.columns, key=lambda name: self.columns[name].order(name))

    def verdicts(self) -> list[ColumnVerdict]:
        """The type of each column and why, in the order of `names`."""
        return [
            decide(name, column.plain, column.tagged, column.fixed, column.native, column.rounded, column.original)
            for name, column in ((name, self.columns[name]) for name in self.names)
        ]

    def to_bytes(self) -> bytes:
        """The state as MessagePack; equal states give equal bytes."""
        return encode(self.rows, self.columns)

    @classmethod
    def from_bytes(cls, data: bytes) -> Survey:
        """The survey that `to_bytes` wrote; raises InvariantBroken if it is none."""
        rows, columns = decode(data)
        return cls(columns, rows)

    @classmethod
    def merged(cls, surveys: Iterable[Survey]) -> Survey:
        """The survey of all rows of several."""
        total = cls.empty()
        for survey in surveys:
            if survey.columns or survey.rows:  # of files read together only the first brings what was found in all
                total = total.merge(survey)
        return total


def _take_in(state: ColumnSurvey, at: int, field: pa.Field, column: pa.Array, rows: Positions) -> None:
    metadata = field.metadata or {}
    state.first = min(state.first, at)
    state.rows += len(column)
    state.places += at * len(column)
    original = metadata.get(FIELD_ORIGINAL)
    if original is not None:
        text = original.decode("utf-8", "replace")
        state.original = text if state.original is None else min(text, state.original)
    fixed = metadata.get(FIELD_TYPE)
    if fixed is not None:
        state.fixed = added(state.fixed, {_fixed_type(fixed, field.name): len(column)})
    elif not pt.is_string(column.type):
        state.native = added(state.native, {type_name(column.type): len(column)})
        if pt.is_integer(column.type):
            far = pc.greater(pc.abs(column), _EXACT_FLOATS)
            state.rounded += pc.sum(far).as_py() or 0
    else:
        is_tagged = metadata.get(FIELD_ENCODING) == b"json"
        (state.tagged if is_tagged else state.plain).add(column, rows)


def _fixed_type(name: bytes, column: str) -> str:
    try:
        return str(parse_type(name.decode("utf-8", "replace")))
    except UsageError as exc:
        raise ParserFailed(f"the parser gives column {column!r} a type that does not exist", why=exc.message) from exc
