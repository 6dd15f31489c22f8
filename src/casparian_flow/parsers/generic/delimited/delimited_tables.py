"""Where one table ends and another begins in the same file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, takewhile

from delimited_header import find_header, looks_like_header
from delimited_kinds import EMPTY, TEXT, column_kind
from delimited_layout import Layout, Line, lines_of
from delimited_records import Grammar
from delimited_sniff import Fixed, Sniffed, sniff

LOOK_AHEAD = 64 << 10
_LINES = 400
_SURE = 0.75


def first_table(sample: bytes, eof: bool, whole: Sniffed, fixed: Fixed) -> Sniffed:
    """The dialect of the topmost table, where `whole` is what the sample as a whole looks like."""
    lines = lines_of(Grammar.of(whole.dialect), sample, eof, whole.arity, _LINES)
    if all(line.arity == whole.arity for line in lines):
        return whole
    paragraphs = list(_paragraphs(lines))
    if len(paragraphs) > 1:
        for paragraph in paragraphs[:8]:
            if any(line.arity == whole.arity for line in paragraph):
                break
            found = _table_in(sample[paragraph[0].start : paragraph[-1].end], fixed, replace(whole, arity=0))
            if found is not None and (found.arity > 2 or len(paragraph) > 4 or _header_is_sure(paragraph)):
                return found
    filled = [line for line in lines if not line.blank]
    above = list(takewhile(lambda line: line.arity != whole.arity, filled))
    if len(above) > 3:
        found = _table_in(sample[above[0].start : above[-1].end], fixed, replace(whole, arity=0), headerless=False)
        if found is not None and (found.arity > 2 or len(above) > 4):
            return found
    for arity, run in groupby(filled, key=lambda line: line.arity):
        rows = list(run)
        if arity == whole.arity and len(rows) > 1:
            break
        if arity > 2 and arity != whole.arity and len(rows) > 4 and _header_is_sure(rows):
            return replace(whole, arity=arity)
    return whole


def next_table(sample: bytes, eof: bool, layout: Layout, gap: bool, fixed: Fixed) -> Sniffed | None:
    """The dialect of another table that begins at the start of the sample; None while it is the same table.

    `gap` says that a blank line came before. Without one, several records in a row must differ.
    """
    current = Sniffed(layout.dialect, layout.width, 1.0, None, 1.0, None)
    lines = [line for line in lines_of(Grammar.of(layout.dialect), sample, eof, layout.width, 8) if not line.blank]
    if not lines:
        return None
    fits = [line.arity == layout.width for line in lines]
    if fits[0]:
        same_header = any(lines[0].fields == line.fields for line in layout.header[:1])
        header = gap and not same_header and looks_like_header(lines[0].fields or (), layout.kinds)
        again = header and len(lines) > 1 and fits[1] and not looks_like_header(lines[1].fields or (), layout.kinds)
        return current if again else None
    if not gap and (any(fits[:4]) or len(lines) < 4):
        return None
    lines = lines_of(Grammar.of(layout.dialect), sample, eof, layout.width, _LINES)
    for paragraph in list(_paragraphs(lines))[:3]:
        found = _table_in(sample[paragraph[0].start : paragraph[-1].end], fixed, current, headerless=gap)
        if found is not None:
            return found
        if len(paragraph) > 2 or not gap:
            break
    return None


def _paragraphs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """The lines between blank lines."""
    for blank, group in groupby(lines, key=lambda line: line.blank):
        if not blank:
            yield list(group)


def _table_in(text: bytes, fixed: Fixed, other_than: Sniffed, *, headerless: bool = True) -> Sniffed | None:
    """The dialect of a text that is a table by itself, but not one more piece of `other_than`."""
    sniffed = sniff(text, True, fixed)
    if sniffed.arity < 2:
        return None
    lines = lines_of(Grammar.of(sniffed.dialect), text, True, sniffed.arity)
    while lines and lines[0].arity <= 1:
        lines = lines[1:]
    rows = [line for line in lines if line.arity == sniffed.arity]
    is_sure = _header_is_sure(rows)
    if len(rows) < (4 - is_sure if sniffed.arity == 2 else 2) or len(rows) < 0.8 * len(lines):
        return None
    same = sniffed.dialect.delimiter == other_than.dialect.delimiter and sniffed.arity == other_than.arity
    if is_sure:
        return sniffed
    if same or not headerless or len(rows) < 4:
        return None
    kinds = [column_kind([(row.fields or ())[i] for row in rows[1:50]]) for i in range(min(sniffed.arity, 100))]
    return sniffed if any(kind not in (TEXT, EMPTY) for kind in kinds) else None


def _header_is_sure(rows: Sequence[Line]) -> bool:
    header = find_header([row.fields or () for row in rows])
    return 0 < header.rows < len(rows) and header.confidence >= _SURE
