"""Which of the first records are a header, judged by how they differ from what stands below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from delimited_kinds import EMPTY, TEXT, column_kind, is_missing, kind_of, kinds_of_columns

Fields = Sequence[bytes | None]

BELOW = 100
"""Records that are looked at below a possible header."""

_COLUMNS = 500
_MOST_ROWS = 4


@dataclass(frozen=True, slots=True)
class Header:
    """The number of header rows and how sure that is; `kinds` are those of the columns below one row, where known."""

    rows: int
    confidence: float
    kinds: tuple[str, ...] | None = None


def find_header(records: Sequence[Fields]) -> Header:
    """The header of a table whose records all have the same number of fields."""
    if not records:
        return Header(0, 1.0)
    first, below = records[0], records[1 : 1 + BELOW]
    if not below:
        return Header(1, 0.6) if _is_plain_header(first) else Header(0, 0.7)
    kinds = kinds_of(below, len(first))
    if is_repeated := first in below:
        others = [row for row in below if row != first]
        if looks_like_header(first, again := kinds_of(others, len(first))):
            below, kinds = others, again
    unnamed = 1 if not first[0] and kinds[0] == "number" and len(first) > 1 else 0  # an index has no name
    columns = columns_of(below, len(first))
    score = sum(_column_score(first[i], kinds[i], columns[i]) for i in range(unnamed, len(kinds)))
    if _is_sequence(first, kinds):
        score += len(kinds)
    if _has_repeats(first):
        score -= 1.0
    score += 0.6 if _is_plain_header(first[unnamed:]) else -0.3
    if score <= 0 and _is_group_row(first):
        below_it = find_header(records[1:])
        if below_it.rows and below_it.confidence > 0.6:
            return Header(1 + below_it.rows, below_it.confidence)
    if score <= 0:
        several = _rows_above_types(records)
        return Header(several, 0.75) if several else Header(0, _sureness(score))
    more = _more_rows(records, len(kinds))
    return Header(1 + more, _sureness(score), None if more or is_repeated else tuple(kinds))


def columns_of(rows: Sequence[Fields], width: int) -> Sequence[Fields]:
    """The first columns of rows, as many of them as are looked at; all of the rows are at least as wide."""
    width = min(width, _COLUMNS)
    return list(zip(*(row[:width] for row in rows), strict=True)) if rows else [()] * width


def kinds_of(rows: Sequence[Fields], width: int) -> list[str]:
    """The kinds of these columns."""
    return kinds_of_columns(columns_of(rows, width))


def _rows_above_types(records: Sequence[Fields]) -> int:
    """How many records at the top each break every typed column below them all, where few rows hide the types; or 0."""
    for count in range(2, min(_MOST_ROWS, len(records) - 2) + 1):
        kinds = kinds_of(records[count : count + BELOW], len(records[0]))
        typed = sum(kind not in (TEXT, EMPTY) for kind in kinds)
        if typed > 1 and all(looks_like_header(row, kinds) for row in records[:count]):
            return count
    return 0


def looks_like_header(fields: Fields, kinds: Sequence[str]) -> bool:
    """Whether a record breaks every typed column of a table with text, as only a header does."""
    typed = [i for i, kind in enumerate(kinds) if kind not in (TEXT, EMPTY) and i < len(fields)]
    if not typed or any(not field for field in fields[:1]):
        return False
    return all(_is_name(fields[i]) and kind_of(fields[i]) != kinds[i] for i in typed)


def _column_score(top: bytes | None, kind: str, below: Fields) -> float:
    """Positive where the top cell is unlike the column below it, negative where it is one more of them."""
    if kind == EMPTY:
        return 0.1 if top else 0.0
    if not top or top.isspace():
        return -0.4 if kind != TEXT else -0.2
    own = kind_of(top)
    if kind != TEXT:
        if own in (TEXT, "code") and own != kind:
            return 1.0 if own == TEXT else 0.7
        return -1.0 if own == kind else 0.3 if own != EMPTY else 0.0
    if top in below:
        return -0.6
    if own != TEXT:
        return -0.4
    filled = [cell for cell in below if cell]
    lengths = {len(cell) for cell in filled}
    if len(filled) >= 3 and len(lengths) == 1:
        return 0.4 if len(top) not in lengths else -0.3
    return 0.0


def _is_plain_header(fields: Fields) -> bool:
    """Text only, unique, nothing empty but perhaps the end."""
    cells = list(fields)
    while cells and not cells[-1]:
        cells.pop()
    return bool(cells) and all(_is_name(cell) for cell in cells) and len(set(cells)) == len(cells)


def _is_name(cell: bytes | None) -> bool:
    return bool(cell) and len(cell) <= 200 and _reads_like_name(cell)


@lru_cache(maxsize=1024)
def _reads_like_name(cell: bytes) -> bool:
    return not is_missing(cell) and kind_of(cell) in (TEXT, "code")


def _is_group_row(fields: Fields) -> bool:
    """Names with gaps between them, as merged cells leave them above the names of the columns."""
    filled = [i for i, cell in enumerate(fields) if cell]
    return 0 < len(filled) < len(fields) and filled != list(range(len(filled)))


def _has_repeats(fields: Fields) -> bool:
    filled = [cell for cell in fields if cell]
    return len(set(filled)) < 0.7 * len(filled)


def _is_sequence(fields: Fields, kinds: Sequence[str]) -> bool:
    """Years or months as column names: numbers that count up, under a text column."""
    numbers = [cell for cell in fields if cell and cell.isdigit()]
    if len(numbers) < 2 or len(numbers) >= len(fields) or not fields[0] or fields[0].isdigit():
        return False
    values = [int(cell) for cell in numbers if len(cell) < 9]
    steps = {b - a for a, b in pairwise(values)}
    years = all(1800 <= value <= 2100 for value in values) and min(steps, default=0) > 0
    return (steps == {1} or years) and len(values) == len(numbers) and kinds[0] == TEXT


def _more_rows(records: Sequence[Fields], width: int) -> int:
    """Further records that break at least two typed columns, and all of them: a header of several rows."""
    more = 0
    for at in range(1, min(_MOST_ROWS, len(records) - 1)):
        row, below = records[at], records[at + 1 : at + 1 + BELOW]
        columns = ([cells[column] for cells in below] for column in range(min(width, _COLUMNS)))
        if not row[0] or not _breaks_types(row, columns):
            break
        more = at
    return more


def _breaks_types(row: Fields, columns: Iterable[Fields]) -> bool:
    """Whether a record breaks each of at least two typed columns; most are not looked at behind the first it fits."""
    typed = 0
    for cell, column in zip(row, columns, strict=False):
        kind = column_kind(column)
        if kind not in (TEXT, EMPTY):
            typed += 1
            if not _is_name(cell) or kind_of(cell) == kind:
                return False
    return typed > 1


def _sureness(score: float) -> float:
    return round(min(0.99, 0.5 + abs(score) / 4), 3)
