"""How well a sample reads in one dialect."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from itertools import pairwise

from delimited_dialect import Dialect
from delimited_kinds import EMPTY, TEXT, kind_of, shapes_of
from delimited_records import MAX_COLUMNS
from delimited_sample import Fields, Records, Sample

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

_CELLS = 1000
_MOST_TITLES = 8


class Guess:
    """One dialect with how well the sample reads in it.

    `share` of its records have `arity` fields; `damaged` are not records at all, `titles` stand above the table.
    """

    def __init__(self, dialect: Dialect, sample: Sample) -> None:
        self.dialect = dialect
        self.arity, self.share, self.damaged, self.titles = 1, 0.0, 0, 0
        self._records = sample.records(dialect)
        self._weights: list[float] = [0.0]
        self._doubts: list[float] = []
        self._weigh()

    def _weigh(self) -> None:
        dialect, widths = self.dialect, self._records.widths
        titles = self._first = _count_titles(widths, dialect)
        widths = widths[titles:]
        counts = Counter(widths)
        damaged = counts.pop(0, 0)
        is_one = dialect.delimiter is None
        if not counts:
            return
        arity, most = max(counts.items(), key=lambda item: (item[1] * (item[0] > 1 or is_one), item[0]))
        if not is_one and not 2 <= arity <= MAX_COLUMNS:
            return
        share = most / len(widths)
        if not is_one:
            share = max(share, 0.9 * _steadiness(widths))
        width = 0.375 if is_one else 1 - 1 / (arity + 0.6)
        self.arity, self.share, self.damaged, self.titles = arity, share, damaged, titles
        self._weights = [
            share * width,
            1 - 0.5 * (damaged / len(widths)),
            1.0 if dialect.delimiter is None else PRIORS.get(dialect.delimiter, 1.0),
            0.999 if dialect.escape else 1.0,
            1.0 if dialect.lone_cr else 0.999,
            0.8 if dialect.quote is None else 1.0,  # a few stray quotes do not make a file without quoting
        ]

    def doubt(self, factor: float) -> None:
        """Lower the score, before anyone asks for it."""
        self._doubts.append(factor)

    @property
    def most(self) -> float:
        """No less than the score, for much less work."""
        return self._product(1.0, 1.0)

    @cached_property
    def score(self) -> float:
        """The higher, the more it looks like a table of clean values."""
        if not self._weights[0]:
            return 0.0
        rows = self._rows()
        cells = [cell for row in rows[:: 1 + len(rows) * self.arity // _CELLS] for cell in row[:_CELLS]][: 2 * _CELLS]
        suspect = self.arity > 2 and (_has_empty_columns(rows) or _is_torn(rows, self.dialect))
        return self._product(0.1 + 0.9 * _cleanness(cells, self.dialect), 0.6 if suspect else 1.0)

    def _product(self, cleanness: float, shape: float) -> float:
        score = self._weights[0] * cleanness
        for weight in (*self._weights[1:], shape, *self._doubts):
            score *= weight
        return score

    def _rows(self) -> list[Fields]:
        """The records that have the table's width."""
        records = self._records
        return [records.fields(i) for i in range(self._first, len(records)) if records.widths[i] == self.arity]


def _count_titles(widths: list[int], dialect: Dialect) -> int:
    """How many records come before the first that is split at all, where they are few."""
    if dialect.delimiter is None:
        return 0
    first = next((i for i, width in enumerate(widths[:_MOST_TITLES]) if width > 1), 0)
    return first if len(widths) - first > 1 else 0


def _steadiness(widths: list[int]) -> float:
    """The share of records as wide as the one before, which stays high where one table follows another."""
    return sum(a == b > 1 for a, b in pairwise(widths)) / len(widths)


def _has_empty_columns(rows: list[Fields]) -> bool:
    """Whether many columns hold nothing but one mark, which a delimiter of several characters leaves behind."""
    marks = {i: cell for i, cell in enumerate(rows[0]) if not (cell or b"").strip().isalnum()}
    for row in rows[1:]:
        if len(marks) <= 0.4 * len(row):
            return False
        marks = {i: mark for i, mark in marks.items() if row[i] == mark}
    return len(marks) / len(rows[0]) > 0.4


def _is_torn(rows: list[Fields], dialect: Dialect) -> bool:
    """Whether every second field of all rows, the header too, is what a longer delimiter has between its ends."""
    if dialect.delimiter in (",", ";") or len(rows) < 2 or len(rows[0]) % 2 == 0:
        return False
    mark = rows[0][1]
    if not all(cell == mark for row in rows for cell in row[1::2]):
        return False
    return not mark or (len(mark) <= 2 and not mark.strip().isalnum() and len(mark.strip()) == len(mark))


def _cleanness(cells: Fields, dialect: Dialect) -> float:
    """How much the cells look like one value each."""
    quote, foreign = dialect.quote.encode() if dialect.quote else None, _foreign(dialect.delimiter)
    shapes = shapes_of(cells)
    marks = {shape: _clean(shape, dialect, quote, foreign) for shape in set(shapes)}
    return sum(map(marks.__getitem__, shapes)) / max(1, len(cells))


def _clean(cell: bytes, dialect: Dialect, quote: bytes | None, foreign: tuple[bytes, ...]) -> float:
    """How much a cell looks like one value; `quote` and `foreign` are the dialect's."""
    kind = kind_of(cell)
    if kind == EMPTY:
        return 0.9
    edge = cell.strip()
    if kind != TEXT:
        return 1.0 if edge == cell else 0.85
    if edge[:1] in (b'"', b"'") or edge[-1:] == b'"':
        return 0.15 if len(edge) > 1 and edge[:1] == edge[-1:] else 0.4
    if quote is not None and dialect.escape is None and quote in edge:
        return 0.3 if b"\\" + quote in edge else 0.6
    if dialect.delimiter != "\t" and b"\t" in edge:
        return 0.2
    for mark in foreign:
        if mark in edge:
            return 0.5
    return 0.6 if edge != cell else 0.75


def _foreign(delimiter: str | None) -> tuple[bytes, ...]:
    """The usual delimiters that do not belong into a cell if this is the delimiter; a comma is also text."""
    core = delimiter.strip(" ") if delimiter else None
    if core == ",":
        return (b";", b"|")
    return () if core in (";", "\t", "|") else (b",", b";", b"|")
