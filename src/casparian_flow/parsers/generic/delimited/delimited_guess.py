"""How well a sample reads in one dialect."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise
from math import prod
from typing import NamedTuple

from delimited_dialect import Dialect
from delimited_kinds import EMPTY, TEXT, kind_of_shape
from delimited_sample import Records, Sample

PRIORS = {
    ",": 1.0,
    ";": 1.0,
    "\t": 1.1,
    "|": 1.05,
    "\x01": 1.0,
    "\x1f": 1.0,
    "~": 0.9,
    "^": 0.9,
    "\xa7": 0.9,
    "!": 0.7,
}
PRIORS |= {":": 0.65, "#": 0.7, "*": 0.6, "/": 0.4, "=": 0.5, "_": 0.4, " ": 0.6}

_TAB, _BACKSLASH = b"\t\\"
_CELLS = 1000
_MOST_TITLES = 8
_KEPT, _KEPT_BYTES = 1 << 12, 64
"""So many marks are kept of the cells of one dialect, of cells of so many bytes at most."""


class _Shape(NamedTuple):
    """How regular the records of a sample are; `weights` are what that and the dialect are worth."""

    arity: int = 1
    share: float = 0.0
    damaged: int = 0
    titles: int = 0
    weights: tuple[float, ...] = (0.0,)


class Guess:
    """One dialect with how well the sample reads in it, as far as anyone asks; `rivals` are all guesses together."""

    def __init__(self, dialect: Dialect, sample: Sample, rivals: Sequence[Guess]) -> None:
        self.dialect = dialect
        self._sample = sample
        self._rivals = rivals

    @property
    def arity(self) -> int:
        """The number of fields of a row."""
        return self._read[1].arity

    @property
    def share(self) -> float:
        """The share of records with so many fields."""
        return self._read[1].share

    @property
    def damaged(self) -> int:
        """How many records are damaged."""
        return self._read[1].damaged

    @property
    def titles(self) -> int:
        """How many records stand above the table."""
        return self._read[1].titles

    @cached_property
    def most(self) -> float:
        """No less than the score, for much less work."""
        return self._product(1.0, 1.0)

    @cached_property
    def score(self) -> float:
        """The higher, the more it looks like a table of clean values."""
        records, shape = self._read
        if not shape.share:
            return 0.0
        rows = [at for at in range(shape.titles, len(records)) if records.widths[at] == shape.arity]
        some = rows[:: 1 + len(rows) * shape.arity // _CELLS]
        cells = records.shapes(some)[: _CELLS if shape.arity > _CELLS else None]
        is_suspect = shape.arity > 2 and (_has_empty_columns(records, rows) or _is_torn(records, rows, self.dialect))
        return self._product(0.1 + 0.9 * _cleanness(cells, self.dialect), 0.6 if is_suspect else 1.0)

    def takes_all(self, other: Guess) -> bool:
        """Whether it reads as good a table as another without leaving out a line above it."""
        return not self.titles and self.share >= other.share

    @cached_property
    def _read(self) -> tuple[Records, _Shape]:
        records = self._sample.records(self.dialect)
        return records, _shape_of(records.widths, self.dialect)

    @cached_property
    def _doubts(self) -> tuple[float, float]:
        """Less for a quote that does not occur where another one does, and for titles that another has as rows."""
        return (
            0.8 if self._is_unused_quote() else 1.0,
            0.85 if self.titles and any(g.dialect.delimiter and g.takes_all(self) for g in self._rivals) else 1.0,
        )

    def _is_unused_quote(self) -> bool:
        """Whether the quote does not occur and another one encloses more fields than it damages."""
        text, dialect = self._sample.text, self.dialect
        if dialect.quote is None or dialect.quote in text:
            return False
        return any(
            _enclosed(text, dialect.delimiter, quote) > other.damaged
            for other in self._rivals
            if (quote := other.dialect.quote) and quote in text and other.dialect.delimiter == dialect.delimiter
        )

    def _product(self, cleanness: float, regularity: float) -> float:
        first, *others = self._read[1].weights
        return prod((first * cleanness, *others, regularity, *self._doubts))


def _shape_of(widths: list[int], dialect: Dialect) -> _Shape:
    is_one = dialect.delimiter is None
    titles = 0 if is_one else _count_titles(widths)
    widths = widths[titles:]
    damaged = widths.count(0)
    arity, most = _usual(widths, is_one)
    if not most or not (is_one or arity >= 2):
        return _Shape()
    share = most / len(widths)
    if not is_one and share < 0.9:
        share = max(share, 0.9 * _steadiness(widths))
    weights = (
        share * (0.375 if is_one else 1 - 1 / (arity + 0.6)),
        1 - 0.5 * (damaged / len(widths)),
        1.0 if dialect.delimiter is None else PRIORS.get(dialect.delimiter, 1.0),
        0.999 if dialect.escape else 1.0,
        1.0 if dialect.lone_cr else 0.999,
        0.8 if dialect.quote is None else 1.0,  # a few stray quotes do not make a file without quoting
    )
    return _Shape(arity, share, damaged, titles, weights)


def _usual(widths: list[int], is_one: bool) -> tuple[int, int]:
    """The width of most records that are split, or of one column, and their number; of many equal ones the widest."""
    if widths and widths.count(widths[0]) == len(widths):
        return (widths[0], len(widths)) if widths[0] else (0, 0)
    counts = [(count * (width > 1 or is_one), width, count) for width, count in Counter(widths).items() if width]
    _, width, count = max(counts, default=(0, 0, 0))
    return width, count


def _count_titles(widths: list[int]) -> int:
    """How many records come before the first that is split at all, where they are few."""
    if widths and widths[0] > 1:
        return 0
    first = next((i for i, width in enumerate(widths[:_MOST_TITLES]) if width > 1), 0)
    return first if len(widths) - first > 1 else 0


def _steadiness(widths: list[int]) -> float:
    """The share of records as wide as the one before, which stays high where one table follows another."""
    return sum(a == b > 1 for a, b in pairwise(widths)) / len(widths)


def _has_empty_columns(records: Records, rows: list[int]) -> bool:
    """Whether many columns hold nothing but one mark, which a delimiter of several characters leaves behind."""
    first = records.fields(rows[0])
    marks = {at: cell for at, cell in enumerate(first) if not (cell or b"").strip().isalnum()}
    for row in rows[1:]:
        if len(marks) / len(first) <= 0.4:
            return False
        fields = records.fields(row)
        marks = {at: mark for at, mark in marks.items() if fields[at] == mark}
    return len(marks) / len(first) > 0.4


def _is_torn(records: Records, rows: list[int], dialect: Dialect) -> bool:
    """Whether every second field of all rows, the header too, is what a longer delimiter has between its ends."""
    first = records.fields(rows[0])
    if dialect.delimiter in (",", ";") or len(rows) < 2 or len(first) % 2 == 0:
        return False
    mark = first[1]
    if not all(cell == mark for row in rows for cell in records.fields(row)[1::2]):
        return False
    return not mark or (len(mark) <= 2 and not mark.strip().isalnum() and len(mark.strip()) == len(mark))


def _cleanness(shapes: Sequence[bytes], dialect: Dialect) -> float:
    """How much the cells of these shapes look like one value each."""
    marks = _Marks.of(dialect.quote, dialect.delimiter, dialect.escape is not None)
    return sum(map(marks.__getitem__, shapes)) / max(1, len(shapes))


class _Marks(dict[bytes, float]):
    """How much cells look like one value in some dialects, by their shapes; those of usual length are kept."""

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, quote: str | None, delimiter: str | None, escapes: bool) -> _Marks:
        """Those of the dialects with this quote and delimiter."""
        return cls(quote, delimiter, escapes)

    def __init__(self, quote: str | None, delimiter: str | None, escapes: bool) -> None:
        super().__init__()
        self._quote = ord(quote) if quote else None
        self._foreign = _foreign(delimiter)
        self._is_tabbed = delimiter == "\t"
        self._escapes = escapes

    def __missing__(self, shape: bytes) -> float:
        mark = _clean(shape, self._quote, self._foreign, self._is_tabbed, self._escapes)
        if len(shape) <= _KEPT_BYTES:
            if len(self) >= _KEPT:
                self.clear()
            self[shape] = mark
        return mark


def _clean(cell: bytes, quote: int | None, foreign: bytes, is_tabbed: bool, escapes: bool) -> float:
    """How much a cell of this shape looks like one value; the rest is about the dialect."""
    kind = kind_of_shape(cell)
    if kind == EMPTY:
        return 0.9
    edge = cell.strip()
    if kind != TEXT:
        return 1.0 if edge == cell else 0.85
    if edge[:1] in (b'"', b"'") or edge[-1:] == b'"':
        return 0.15 if len(edge) > 1 and edge[:1] == edge[-1:] else 0.4
    if quote is not None and not escapes and quote in edge:
        return 0.3 if _BACKSLASH in edge and bytes((_BACKSLASH, quote)) in edge else 0.6
    if not is_tabbed and _TAB in edge:
        return 0.2
    for mark in foreign:
        if mark in edge:
            return 0.5
    return 0.6 if edge != cell else 0.75


def _foreign(delimiter: str | None) -> bytes:
    """The usual delimiters that do not belong into a cell if this is the delimiter; a comma is also text."""
    core = delimiter.strip(" ") if delimiter else None
    if core == ",":
        return b";|"
    return b"" if core in (";", "\t", "|") else b",;|"


def _enclosed(text: str, delimiter: str | None, quote: str) -> int:
    """How many fields a quote encloses."""
    edge = re.escape(delimiter) if delimiter else r"(?!)"
    field = rf"(?:^|[\r\n]|{edge}){quote}(?:[^{quote}\r\n]|{quote}{quote})*+{quote}(?={edge}|[\r\n]|\Z)"
    return len(re.findall(field, text))
