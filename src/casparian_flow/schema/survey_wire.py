"""Surveys as bytes, small enough that every job of a large plan can send one."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.schema.column_survey import ColumnSurvey
from casparian_flow.schema.eliminate import Elimination, SharedExamples, Word


class _Elimination(msgspec.Struct, array_like=True):
    cells: int
    ruled: SharedExamples
    whole: int
    scale: int
    zones: list[str]
    words: list[tuple[str, Word]]


class _Column(msgspec.Struct, array_like=True):
    name: str
    first: int
    rows: int
    places: int
    original: str | None
    fixed: list[tuple[str, int]]
    native: list[tuple[str, int]]
    rounded: int
    plain: _Elimination | None
    tagged: _Elimination | None


class _Survey(msgspec.Struct, array_like=True):
    rows: int
    columns: list[_Column]


def encode(rows: int, columns: Mapping[str, ColumnSurvey]) -> bytes:
    """The state as MessagePack; equal states give equal bytes."""
    wired = [
        _Column(
            name,
            column.first,
            column.rows,
            column.places,
            column.original,
            sorted(column.fixed.items()),
            sorted(column.native.items()),
            column.rounded,
            _wired(column.plain),
            _wired(column.tagged),
        )
        for name, column in sorted(columns.items())
    ]
    return msgspec.msgpack.encode(_Survey(rows, wired))


def decode(data: bytes) -> tuple[int, dict[str, ColumnSurvey]]:
    """Rows and columns of what `encode` wrote; raises InvariantBroken if it did not."""
    try:
        survey = msgspec.msgpack.decode(data, type=_Survey)
    except msgspec.DecodeError as exc:
        raise InvariantBroken("a survey cannot be read back", why=str(exc)) from exc
    columns = {
        column.name: ColumnSurvey(
            first=column.first,
            rows=column.rows,
            places=column.places,
            original=column.original,
            fixed=dict(column.fixed),
            native=dict(column.native),
            rounded=column.rounded,
            plain=_unwired(column.plain, tagged=False),
            tagged=_unwired(column.tagged, tagged=True),
        )
        for column in survey.columns
    }
    return survey.rows, columns


def _wired(state: Elimination) -> _Elimination | None:
    if not state.cells:
        return None
    return _Elimination(state.cells, state.shared(), state.whole, state.scale, state.zones, sorted(state.words.items()))


def _unwired(wired: _Elimination | None, *, tagged: bool) -> Elimination:
    if wired is None:
        return Elimination(tagged=tagged)
    return Elimination(
        tagged=tagged,
        cells=wired.cells,
        ruled={key: examples for examples, keys in wired.ruled for key in keys},
        whole=wired.whole,
        scale=wired.scale,
        zones=wired.zones,
        words=dict(wired.words),
    )
