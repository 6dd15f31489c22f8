"""Where a table starts in a sample, what stands above it, and how its columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
from delimited_dialect import Dialect
from delimited_header import Fields, find_header, kinds_of
from delimited_names import schema_of
from delimited_records import Grammar, NeedMore
from delimited_sample import Sample

LIMIT = 400
_SMALL = 64 << 10
"""Longest sample that is cut into lines as a whole; of a longer one only the first are needed."""


class Line(NamedTuple):
    """One record of the sample; `fields` is None where it is damaged, `blank` where it is no record at all."""

    start: int
    end: int
    fields: tuple[bytes | None, ...] | None
    blank: bool = False

    @property
    def arity(self) -> int:
        """The number of fields, 0 for a damaged or blank line."""
        return 0 if self.fields is None or self.blank else len(self.fields)


@dataclass(frozen=True, slots=True)
class Layout:
    """One table: its dialect, what precedes its first row, its shape; `below` are the lines of a small `rest`."""

    dialect: Dialect
    arity: int
    schema: pa.Schema
    trailing: bool
    header_rows: int
    header_confidence: float
    skipped: tuple[Line, ...]
    header: tuple[Line, ...]
    start: int
    kinds: tuple[str, ...]
    rest: bytes
    below: tuple[Line, ...]
    note: str = ""

    @property
    def width(self) -> int:
        """Fields of a row as it stands in the file: one more than columns where each ends in a delimiter."""
        return self.arity + self.trailing


@lru_cache(maxsize=2)
def lines_of(grammar: Grammar, sample: bytes, eof: bool, arity: int, limit: int = LIMIT) -> tuple[Line, ...]:
    """The records of the sample with their places; a small file is asked for them twice."""
    is_small = len(sample) <= _SMALL
    starts, plain = Sample.of(sample if is_small else sample[:_SMALL], eof and is_small).plain(grammar, limit)
    lines = [
        Line(start, end, tuple(split), len(split) == 1 and _is_blank(split))
        for (start, end), split in zip(pairwise(starts), plain, strict=True)
    ]
    pos = starts[-1] if starts else 0
    try:
        while pos < len(sample) and len(lines) < limit:
            end, fields = grammar.read(sample, pos, eof, arity)
            lines.append(Line(pos, end, None if fields is None else tuple(fields), _is_blank(fields)))
            pos = end
    except NeedMore:
        pass
    return tuple(lines)


def _is_blank(fields: Fields | None) -> bool:
    return fields is not None and len(fields) == 1 and not (fields[0] or b"").strip()


def lay_out(
    sample: bytes, eof: bool, dialect: Dialect, arity: int, header: int | None = None, skip: int | None = None
) -> Layout:
    """The first table of the sample; `header` rows and `skip` lines above it are taken as given."""
    grammar = Grammar.of(dialect)
    lines = lines_of(grammar, sample, eof, arity, LIMIT)
    offset = 0 if skip is None else _after_lines(grammar, sample, eof, skip)
    rows = [line for line in lines if line.arity == arity and line.start >= offset]
    if skip is None:
        rows = rows[_count_titles(rows) :]
        rows = rows[_count_above_gap(lines, rows) :] if header is None else rows
    trailing = arity > 1 and len(rows) > 1 and not any((row.fields or ())[-1] for row in rows)
    above = None if header is not None or skip is not None else _header_above(lines, rows, trailing, sample, dialect)
    kinds: tuple[str, ...] | None = None
    if above is not None:
        head, names, note, sureness = [above.line], [above.names], above.note, 0.8
        trailing = trailing and len(above.names) < arity
    else:
        cells = [row.fields or () for row in rows]
        verdict = find_header(cells)
        found, sureness = (verdict.rows, verdict.confidence) if header is None else (min(header, len(rows)), 1.0)
        kinds = verdict.kinds if found == 1 else None
        head, names, note = rows[:found], [row.fields or () for row in rows[:found]], ""
        trailing = trailing and found > 0 and len(rows) > found and not any(row[-1] for row in names)
        rows = rows[found:]
    start = head[-1].end if head else rows[0].start if rows else 0
    columns = arity - trailing
    again = tuple(head[0].fields or ()) if head else None  # the header, repeated below, says nothing of types
    if kinds is None:
        kinds = tuple(kinds_of([row.fields or () for row in rows[:100] if row.fields != again], columns))
    return Layout(
        dialect,
        columns,
        schema_of(tuple(tuple(row) for row in names), columns),
        trailing,
        len(head),
        sureness,
        tuple(line for line in lines if line.start < start and line not in head),
        tuple(head),
        start,
        kinds[:columns],
        sample[start:] if len(sample) <= _SMALL else b"",
        tuple(line for line in lines if line.start >= start) if len(sample) <= _SMALL else (),
        note,
    )


def _after_lines(grammar: Grammar, sample: bytes, eof: bool, count: int) -> int:
    pos = 0
    for _ in range(count):
        if pos < len(sample):
            _, pos = grammar.line(sample, pos, eof)
    return pos


def _count_titles(rows: Sequence[Line]) -> int:
    """How many records at the top are title lines, padded with delimiters to the width of the table."""
    width = rows[0].arity if rows else 0
    if width <= 2:
        return 0
    for count, row in enumerate(rows[:20]):
        filled = sum(map(bool, row.fields or ()))
        if filled > 1:
            return count if filled > width // 2 else 0
    return 0


def _count_above_gap(lines: Sequence[Line], rows: Sequence[Line]) -> int:
    """How many records at the top only happen to be as wide as the table whose header follows after a gap."""
    gap = next((line.start for line in lines if line.blank and rows and line.start > rows[0].start), 0)
    count = sum(row.start < gap for row in rows[:4])
    if not 0 < count < 4 or find_header([row.fields or () for row in rows[:count]] * 2).rows:
        return 0
    below = [row.fields or () for row in rows[count:]]
    header = find_header(below)
    return count if 0 < header.rows < len(below) and header.confidence >= 0.75 else 0


@dataclass(frozen=True, slots=True)
class _Above:
    """A header line whose number of fields is not the table's, and the names it gives."""

    line: Line
    names: Sequence[bytes | None]
    note: str


def _header_above(
    lines: Sequence[Line], rows: Sequence[Line], trailing: bool, sample: bytes, dialect: Dialect
) -> _Above | None:
    """A header right above the table whose number of fields is off in a way that can be explained."""
    place = next((i for i, line in enumerate(lines) if rows and line is rows[0]), 0)
    if place == 0 or not lines[place - 1].fields or lines[place - 1].blank:
        return None
    line, arity = lines[place - 1], rows[0].arity
    cells = list(line.fields or ())
    data = [row.fields or () for row in rows]
    if trailing and len(cells) == arity - 1 and _names_rows(cells, data):
        return _Above(line, cells, "rows end in a delimiter")
    named = [cell for cell in cells if cell]
    if len(cells) > arity == len(named) and _names_rows(named, data):
        return _Above(line, named, "empty cells left out of the header")
    if len(cells) == arity - 1 > 1 and _counts_up(data) and _names_rows([b"row", *cells], data):
        return _Above(line, [None, *cells], "the header does not name the row numbers")
    if len(cells) == 1 and arity > 2:
        text = sample[line.start : line.end].rstrip(b"\r\n")
        for delimiter in (",", ";", "\t", "|"):
            other = Grammar.of(Dialect(delimiter, dialect.quote, dialect.escape)).read(text, 0, True).fields
            if other is not None and len(other) == arity and _names_rows(other, data):
                return _Above(line, other, f"the header is separated by {delimiter!r}")
    return None


def _counts_up(data: Sequence[Fields]) -> bool:
    """Whether the first column numbers the rows from 0 or 1."""
    numbers = [row[0] for row in data]
    first = 1 if numbers[0] == b"1" else 0
    return all(number == str(i).encode() for i, number in enumerate(numbers, first))


def _names_rows(names: Sequence[bytes | None], data: Sequence[Fields]) -> bool:
    return find_header([tuple(names), *(row[: len(names)] for row in data)]).rows == 1
