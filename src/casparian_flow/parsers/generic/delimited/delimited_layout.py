"""Where a table starts in a sample, what stands above it, and how its columns are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from delimited_dialect import Dialect
from delimited_header import find_header
from delimited_kinds import column_kind
from delimited_names import schema_of
from delimited_records import Grammar, NeedMore

LIMIT = 400


@dataclass(frozen=True, slots=True)
class Line:
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
    """One table: its dialect, what precedes its first row, its shape."""

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
    note: str = ""

    @property
    def width(self) -> int:
        """Fields of a row as it stands in the file: one more than columns where each ends in a delimiter."""
        return self.arity + self.trailing


def lines_of(grammar: Grammar, sample: bytes, eof: bool, arity: int, limit: int = LIMIT) -> list[Line]:
    """The records of the sample with their places."""
    lines: list[Line] = []
    pos = 0
    try:
        while pos < len(sample) and len(lines) < limit:
            record = grammar.read(sample, pos, eof, arity)
            fields = None if record.fields is None else tuple(record.fields)
            blank = fields is not None and len(fields) == 1 and not (fields[0] or b"").strip()
            lines.append(Line(pos, record.end, fields, blank))
            pos = record.end
    except NeedMore:
        pass
    return lines


def lay_out(
    sample: bytes, eof: bool, dialect: Dialect, arity: int, header: int | None = None, skip: int | None = None
) -> Layout:
    """The first table of the sample."""
    grammar = Grammar(dialect)
    lines = lines_of(grammar, sample, eof, arity)
    if skip is not None:
        offset = _after_lines(grammar, sample, eof, skip)
        skipped = [line for line in lines if line.start < offset]
        lines = [line for line in lines if line.start >= offset]
        top = 0
    else:
        skipped = []
        top = _first_of_table(lines, arity)
    trailing = _is_trailing(lines[top:], arity)
    columns = arity - trailing
    note = ""
    above = _header_above(lines, top, columns, trailing, sample, dialect) if header is None and skip is None else None
    body = [line for line in lines[top:] if _fits(line, columns, trailing)]
    cells = [(line.fields or ())[:columns] for line in body]
    if above is not None:
        top, names, note = above
        found, sureness = 1, 0.8
        header_lines = (lines[top],)
        names_rows: list[Sequence[bytes | None]] = [names]
        data_cells = cells
    else:
        verdict = find_header(cells)
        found, sureness = (verdict.rows, verdict.confidence) if header is None else (min(header, len(body)), 1.0)
        header_lines = tuple(body[:found])
        names_rows = list(cells[:found])
        data_cells = cells[found:]
    start = header_lines[-1].end if header_lines else (lines[top].start if top < len(lines) else len(sample))
    first = header_lines[0].start if header_lines else start
    above_lines = [*skipped, *(line for line in lines if line.start < first and line not in skipped)]
    between = [line for line in lines if first <= line.start < start and line not in header_lines]
    kinds = tuple(column_kind([row[i] for row in data_cells[:100]]) for i in range(min(columns, 500)))
    return Layout(
        dialect,
        columns,
        schema_of(names_rows, columns),
        trailing,
        len(header_lines),
        sureness,
        tuple(above_lines + between),
        header_lines,
        start,
        kinds,
        note,
    )


def _after_lines(grammar: Grammar, sample: bytes, eof: bool, count: int) -> int:
    pos = 0
    for _ in range(count):
        if pos < len(sample):
            _, pos = grammar.line(sample, pos, eof)
    return pos


def _first_of_table(lines: Sequence[Line], arity: int) -> int:
    """The index of the first record of the table, past title lines that are padded with delimiters."""
    top = next((i for i, line in enumerate(lines) if line.arity == arity), len(lines))
    while arity > 2 and top + 1 < len(lines):
        filled = sum(bool(field) for field in lines[top].fields or ())
        below = next((line for line in lines[top + 1 :] if line.arity == arity), None)
        if filled > 1 or below is None:
            break
        if filled == 1 and sum(bool(field) for field in below.fields or ()) < max(2, arity // 2) and not _sparse(
            lines[top + 1 :], arity
        ):
            break
        top = next(i for i in range(top + 1, len(lines)) if lines[i].arity == arity)
    return top


def _sparse(lines: Sequence[Line], arity: int) -> bool:
    """Whether more padded title lines follow before a full one within a few records."""
    near = [line for line in lines[:20] if line.arity == arity]
    return any(sum(bool(f) for f in line.fields or ()) >= max(2, arity // 2) for line in near)


def _fits(line: Line, columns: int, trailing: bool) -> bool:
    if line.fields is None or line.blank:
        return False
    if trailing and len(line.fields) == columns + 1:
        return not line.fields[-1]
    return len(line.fields) == columns


def _is_trailing(lines: Sequence[Line], arity: int) -> bool:
    """Whether every row ends in a delimiter that separates nothing."""
    rows = [line.fields for line in lines if line.arity == arity and line.fields is not None]
    if arity < 2 or len(rows) < 2:
        return False
    return not any(row[-1] for row in rows)


def _header_above(
    lines: Sequence[Line], top: int, columns: int, trailing: bool, sample: bytes, dialect: Dialect
) -> tuple[int, list[bytes | None], str] | None:
    """A header right above the table whose number of fields is off in a way that can be explained."""
    if top == 0 or top >= len(lines) or lines[top - 1].fields is None or lines[top - 1].blank:
        return None
    above = list(lines[top - 1].fields or ())
    rows = [line.fields for line in lines[top:] if line.arity == columns + trailing and line.fields]
    if not rows:
        return None
    if trailing and len(above) == columns and _names_rows(above, rows):
        return top - 1, above, "rows end in a delimiter"
    if len(above) > columns > 1:
        named = [cell for cell in above if cell]
        if len(named) == columns and _names_rows(named, rows):
            return top - 1, list(named), "empty cells left out of the header"
    if len(above) == columns - 1 and columns > 2:
        numbers = [row[0] for row in rows]
        counts = all(n and n.isdigit() and int(n) == i for i, n in enumerate(numbers, int(numbers[0] or 0)) if n) if (
            numbers[0] and numbers[0].isdigit() and len(numbers[0]) < 9
        ) else False
        if counts and _names_rows([b"row", *above], rows):
            return top - 1, [None, *above], "the header does not name the row numbers"
    if len(above) == 1 and columns > 1:
        text = sample[lines[top - 1].start : lines[top - 1].end].rstrip(b"\r\n")
        for delimiter in (",", ";", "\t", "|", ":", " "):
            if delimiter == dialect.delimiter or delimiter.encode() not in text:
                continue
            split = Grammar(Dialect(delimiter, dialect.quote, dialect.escape)).read(text, 0, True).fields
            if split is not None and len(split) == columns and _names_rows(split, rows):
                return top - 1, list(split), f"the header is separated by {delimiter!r}"
    return None


def _names_rows(names: Sequence[bytes | None], rows: Sequence[tuple[bytes | None, ...]]) -> bool:
    return find_header([tuple(names), *(row[: len(names)] for row in rows)]).rows > 0


def main_arity(lines: Sequence[Line]) -> int:
    """The number of fields that most of the sample's text has."""
    counts = Counter(line.arity for line in lines if line.arity > 1)
    return max(counts, key=lambda arity: (counts[arity], arity)) if counts else 1
