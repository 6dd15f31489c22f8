"""The records of a sample in any dialect: how many fields each has, and the fields of those one asks for."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, chain

from delimited_dialect import Dialect
from delimited_kinds import shape_of, shapes_of
from delimited_records import Grammar, Held, NeedMore, Record

RECORDS = 300
"""So many records of a sample are looked at."""

_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r|\Z)")

Fields = list[bytes | None]
_Split = tuple[list[Held], list[int]]


class Records:
    """The records of a sample in one dialect, blank lines left out; those of plain lines are split when asked for."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._held: list[Held] = []
        self.widths: list[int] = []
        """The number of fields of each record, 0 for a damaged one."""

    def __len__(self) -> int:
        return len(self.widths)

    def fields(self, at: int) -> Fields:
        """The fields of a record that is not damaged."""
        held = self._held[at]
        if isinstance(held, bytes):
            held = self._held[at] = self._grammar.fields(held)
        assert held is not None
        return held

    def shapes(self, rows: Sequence[int]) -> list[bytes]:
        """The shapes of all fields of these records, none of which is damaged, one record after the other."""
        plain = [line for at in rows if isinstance(line := self._held[at], bytes)]
        if len(plain) < len(rows):
            return shapes_of(list(chain.from_iterable(map(self.fields, rows))))
        delimiter, text = self._grammar.delimiter, b"\n".join(plain)
        return shape_of(text if delimiter is None else text.replace(delimiter, b"\n")).split(b"\n")

    def extend(self, held: list[Held], widths: list[int]) -> None:
        """Lines that are records of so many fields, or their fields."""
        self._held += held
        self.widths += widths

    def add(self, fields: Fields | None) -> None:
        """The fields of a record, None for a damaged one."""
        if fields is None or len(fields) > 1 or fields[0]:
            self._held.append(fields)
            self.widths.append(0 if fields is None else len(fields))


@dataclass(frozen=True, slots=True)
class _Lines:
    """Whole lines of a sample without their ends; `starts` has one more, where the text after the last begins."""

    texts: list[bytes]
    starts: list[int]


class Sample:
    """The first bytes of a table, cut into lines once for all dialects, and split once for each."""

    @classmethod
    @lru_cache(maxsize=2)
    def of(cls, data: bytes, eof: bool) -> Sample:
        """The sample of these bytes, which a small file is asked for several times."""
        return cls(data, eof)

    def __init__(self, data: bytes, eof: bool) -> None:
        self._data = data
        self._eof = eof
        self._lines: dict[bool, _Lines] = {}
        self._split: dict[Dialect, _Split] = {}

    @cached_property
    def text(self) -> str:
        """The bytes as text."""
        return self._data.decode("utf-8", "replace")

    def plain(self, grammar: Grammar, limit: int) -> tuple[list[int], list[Fields]]:
        """Where its first lines start, and their fields, up to one that is blank or takes a closer look.

        One more start tells where the last of them ends.
        """
        lines = self._cut(grammar.dialect.lone_cr)
        held, widths = self._head(grammar)
        if len(held) < limit and 0 not in widths:
            more, more_widths = grammar.records(lines.texts[len(held) : limit])
            held, widths = held + more, widths + more_widths
        found: list[Fields] = []
        for each in held[: min(limit, widths.index(0) if 0 in widths else limit)]:
            fields = grammar.fields(each) if isinstance(each, bytes) else each
            if fields is None:
                break
            found.append(fields)
        return lines.starts[: len(found) + 1], found

    def records(self, dialect: Dialect, limit: int = RECORDS) -> Records:
        """Its records in a dialect, a single damaged one if there is none."""
        grammar = Grammar.of(dialect)
        found = Records(grammar)
        lines = self._cut(dialect.lone_cr)
        at, count = 0, len(lines.texts)
        while at < count and len(found) < limit:
            if at or limit != RECORDS:
                held, widths = grammar.records(lines.texts[at : at + limit - len(found)])
            else:
                held, widths = self._head(grammar)
            first, stop = at, at + len(held)
            while at < stop:
                here = at - first
                odd = widths.index(0, here) if 0 in widths[here:] else len(held)
                found.extend(held[here:odd], widths[here:odd])
                at = first + odd
                if at < stop and (not lines.texts[at] or held[odd]):
                    at += 1  # it is blank
                elif at < stop and held[odd] is None:
                    found.add(None)
                    at += 1
                elif at < stop:
                    end = self._read(grammar.tokenise, grammar, lines.starts[at], found)
                    at = count if end is None else bisect_left(lines.starts, end, at)
                    if end is None or lines.starts[at] != end:
                        return self._rest(grammar, len(self._data) if end is None else end, found, limit)
        return self._rest(grammar, lines.starts[at], found, limit)

    def _rest(self, grammar: Grammar, pos: int, found: Records, limit: int) -> Records:
        """The same from a place where no line begins, or one that the sample does not have whole."""
        while pos < len(self._data) and len(found) < limit:
            end = self._read(grammar.read, grammar, pos, found)
            if end is None:
                break
            pos = end
        if not len(found):
            found.add(None)
        return found

    def _read(
        self, read: Callable[[bytes, int, bool], Record], grammar: Grammar, pos: int, found: Records
    ) -> int | None:
        """Add the record at `pos`; where it ends, or None where it goes on after the sample."""
        try:
            record = read(self._data, pos, self._eof)
        except NeedMore:
            line_end = grammar.line_end.search(self._data, pos)
            if line_end is None or (len(found) > 10 and pos > len(self._data) // 2):
                return None
            record = Record(line_end.end(), None)
        found.add(record.fields)
        return record.end

    def _head(self, grammar: Grammar) -> _Split:
        """Its first lines as records."""
        if grammar.dialect not in self._split:
            texts = self._cut(grammar.dialect.lone_cr).texts
            self._split[grammar.dialect] = grammar.records(texts[:RECORDS])
        return self._split[grammar.dialect]

    def _cut(self, lone_cr: bool) -> _Lines:
        """Its lines; one that may go on after the sample is left out."""
        if lone_cr not in self._lines:
            self._lines[lone_cr] = _cut(self._data, self._eof, lone_cr)
        return self._lines[lone_cr]


def _cut(data: bytes, eof: bool, lone_cr: bool) -> _Lines:
    if lone_cr and data.count(b"\r") != data.count(b"\r\n"):
        whole = [line for line in _LINE.findall(data) if line]
        texts = [line.rstrip(b"\r\n") for line in whole]
        lengths = [len(line) for line in whole]
    else:
        texts = data.split(b"\n")
        lengths = [len(text) + 1 for text in texts]
        if b"\r" in data:
            texts = [text[:-1] if text.endswith(b"\r") else text for text in texts[:-1]] + texts[-1:]
        if not texts[-1]:
            texts.pop()  # it is what stands behind the last line end
    if texts and not eof and not data.endswith(b"\n"):
        texts.pop()
    starts = [0, *accumulate(lengths)][: len(texts) + 1]
    starts[-1] = min(starts[-1], len(data))
    return _Lines(texts, starts)
