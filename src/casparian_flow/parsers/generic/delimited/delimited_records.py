"""The exact reader: one record at a time, by the grammar of a dialect."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from itertools import accumulate, islice, pairwise
from operator import itemgetter
from typing import NamedTuple

from delimited_dialect import Dialect

MAX_COLUMNS = 20_000
"""A record of more fields fits no table; the fields beyond are not even counted."""

Held = bytes | list[bytes | None] | None
"""A line that is a record: as it stands, its fields, or None where it is damaged."""

_EMPTY = frozenset([b""])
_LONG_LINE = 1 << 20
_CR = 13
_LAST_BYTE = itemgetter(slice(-1, None))

LOOK_AHEAD_LINES = 24
"""So many lines after an open quote are looked at for records."""


def resync_lines(arity: int) -> int:
    """So many lines after an open quote that are records of their own prove that the quote is stray.

    With few columns it takes more, because prose can look like records by chance.
    """
    return 2 if arity > 4 else 4 if arity > 2 else 12


class NeedMore(Exception):
    """The record does not end in the bytes at hand."""


class Record(NamedTuple):
    """A record that ends before `end`; without `fields` its quoting is damaged, and `end` ends the damaged line."""

    end: int
    fields: list[bytes | None] | None


class _Exact(NamedTuple):
    """The patterns of the exact reader; the last four where there is a quote or an escape."""

    bare: re.Pattern[bytes]
    opening: re.Pattern[bytes] | None
    body: re.Pattern[bytes] | None
    quoted: re.Pattern[bytes] | None
    unescape: re.Pattern[bytes] | None


class _ClosedLine(NamedTuple):
    """The patterns of a line without escapes in which every field that opens a quote closes it."""

    whole: re.Pattern[bytes]
    fields: re.Pattern[bytes]
    closing: re.Pattern[bytes]
    """Such a field, whatever follows it."""


class Grammar:
    """Reads records of one dialect out of UTF-8 bytes."""

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, dialect: Dialect, resync: bool = True, nulls: tuple[str, ...] = ()) -> Grammar:
        """The grammar of a dialect, compiled once. An unquoted field that is one of `nulls` is null."""
        return cls(dialect, resync, nulls)

    def __init__(self, dialect: Dialect, resync: bool, nulls: tuple[str, ...]) -> None:
        self.dialect = dialect
        self._nulls = frozenset(each.encode() for each in ("", *nulls))
        self.delimiter = dialect.delimiter.encode() if dialect.delimiter else None
        self.quote = dialect.quote.encode() if dialect.quote else None
        self.escape = dialect.escape.encode() if dialect.escape else None
        self.line_end = re.compile(rb"\r\n|\n|\r" if dialect.lone_cr else rb"\r?\n")
        self._lead = dialect.lead and self.delimiter not in (b" ", b"\t")
        self._quote_code = self.quote[0] if self.quote else None
        self._escape_code = self.escape[0] if self.escape else None
        self._opening = self.delimiter + self.quote if self.delimiter and self.quote else b"\n"
        self._resync = resync

    @cached_property
    def _exact(self) -> _Exact:
        newline = rb"\r\n" if self.dialect.lone_cr else rb"\n"
        stop = rb"[\r\n]" if self.dialect.lone_cr else rb"\r?\n"
        delimiter = re.escape(self.delimiter) if self.delimiter else b""
        escape = re.escape(self.escape) if self.escape else b""
        after = rb"(?=" + (delimiter + rb"|" if delimiter else b"") + stop + rb"|\Z)"
        if self.delimiter and len(self.delimiter) > 1:
            plain = rb"(?:(?!" + delimiter + rb")[^" + newline + escape + rb"])"
        else:
            plain = rb"[^" + delimiter + newline + escape + rb"]"
        if not self.dialect.lone_cr:
            plain = rb"(?:(?!\r\n)" + plain + rb")"
        bare = rb"(?:" + plain + rb"++"
        if escape:
            bare += rb"|" + escape + rb"(?:\r\n|[\s\S]|\Z)"
        unescape = opening = body_of = quoted = None
        if self.quote:
            quote = re.escape(self.quote)
            lead = rb"[ \t]*+" if self._lead else b""
            body = rb"(?:[^" + quote + escape + rb"]++|" + quote + quote
            body += (rb"|" + escape + rb"[\s\S]") if escape else b""
            opening = re.compile(lead + quote)
            body_of = re.compile(body + rb")*+")
            quoted = re.compile(lead + quote + rb"(" + body + rb")*+)" + quote + after)
        if escape:
            special = b"".join(re.escape(c) for c in (self.quote, self.escape, b"\r", b"\n") if c)
            special = rb"\r\n|[" + special + rb"]" + (rb"|" + delimiter if delimiter else b"")
            doubled = rb"|" + quote + rb"(" + quote + rb")" if self.quote else rb"|(?!)()"
            unescape = re.compile(escape + rb"(" + special + rb")" + doubled)
        return _Exact(re.compile(bare + rb")*+"), opening, body_of, quoted, unescape)

    @cached_property
    def _closed_line(self) -> _ClosedLine:
        assert self.quote is not None
        delimiter, quote = re.escape(self.delimiter) if self.delimiter else b"", re.escape(self.quote)
        lead = rb"[ \t]*+" if self._lead else b""
        if self.delimiter is None:
            bare = rb"[\s\S]*+"
        elif len(self.delimiter) == 1:
            bare = rb"[^" + delimiter + rb"]*+"
        else:
            bare = rb"(?:(?!" + delimiter + rb")[\s\S])*+"
        closed = lead + quote + rb"((?:[^" + quote + rb"]++|" + quote + quote + rb")*+" + quote + rb")"
        between = delimiter or rb"(?!)"
        field = rb"(?:" + closed + rb"(?=" + between + rb"|\Z)|(?!" + lead + quote + rb")(" + bare + rb"))"
        return _ClosedLine(
            re.compile(field + rb"(?:" + between + field + rb")*+"),
            re.compile(rb"(?:\A|" + between + rb")" + field),
            re.compile(closed),
        )

    def line(self, buf: bytes, pos: int, eof: bool) -> tuple[int, int]:
        """Where the text of the line at `pos` ends, and where the next begins."""
        found = self.line_end.search(buf, pos)
        if found is None:
            if not eof:
                raise NeedMore
            return len(buf), len(buf)
        if found.end() == len(buf) and not eof and found.group() == b"\r":
            raise NeedMore
        return found.span()

    def read(self, buf: bytes, pos: int, eof: bool, arity: int = 0) -> Record:
        """The record at `pos`; raises NeedMore where `buf` may end too early. `arity` helps to see damage."""
        text_end, end = self.line(buf, pos, eof)
        fields = self.fields(buf[pos:text_end])
        return self.tokenise(buf, pos, eof, arity) if fields is None else Record(end, fields)

    def fields(self, line: bytes) -> list[bytes | None] | None:
        """The fields of a line that is a record for sure; None where it takes a closer look."""
        quote, code, escape = self.quote, self._quote_code, self._escape_code
        if quote is None or code is None or code not in line:
            if escape is not None and escape in line:
                return None
        elif len(quote) > 1 or _CR in line or (escape is not None and escape in line) or self._is_too_wide(line):
            return None
        elif self._lead or line[0] == code or self._opening in line:
            return self._split(line, quote)
        return self._with_nulls(line.split(self.delimiter, MAX_COLUMNS) if self.delimiter else [line])

    def _is_too_wide(self, line: bytes) -> bool:
        return len(line) >= MAX_COLUMNS and self.delimiter is not None and line.count(self.delimiter) >= MAX_COLUMNS

    def _split(self, line: bytes, quote: bytes) -> list[bytes | None] | None:
        """The fields of a line in which one or more begin with a quote; None where not all of them close."""
        nulls = self._nulls
        fields = self._closed(line, quote)
        if fields is not None or not self._closed_line.whole.fullmatch(line):
            return fields
        return [
            closed[:-1].replace(quote * 2, quote) if closed else None if bare in nulls else bare
            for closed, bare in self._closed_line.fields.findall(line)
        ]

    def _closed(self, line: bytes, quote: bytes) -> list[bytes | None] | None:
        """The fields of a line in which each quote opens or closes a whole field; None where one does not."""
        delimiter = self.delimiter
        if delimiter is None or len(delimiter) > 1 or self._lead:
            return None
        parts = line.split(quote)
        bare = quote.join(parts[::2]).split(delimiter)  # where a field was quoted, one quote is left
        if not len(parts) % 2 or bare.count(quote) != len(parts) // 2:
            return None
        fields = self._with_nulls(bare)
        at = -1
        for text in parts[1::2]:
            at = bare.index(quote, at + 1)
            fields[at] = text
        return fields

    def _with_nulls(self, fields: list[bytes]) -> list[bytes | None]:
        """Fields that are not quoted, null where the grammar says so."""
        nulls = self._nulls
        if nulls == _EMPTY:
            return [field or None for field in fields] if b"" in fields else list(fields)
        return [None if field in nulls else field for field in fields]

    def records(self, lines: list[bytes]) -> tuple[list[Held], list[int]]:
        """Lines as records: the line itself where it is plain, else its fields, and the number of them.

        The number is 0 where a line is blank, is damaged by itself (None) or takes a closer look (no fields).
        """
        delimiter, quote, code = self.delimiter, self.quote, self._quote_code
        held: list[Held] = list(lines)
        widths = [line.count(delimiter) + 1 for line in lines] if delimiter else [1] * len(lines)
        is_simple = not (self.escape or self._lead) and self.dialect.lone_cr and max(widths, default=1) <= MAX_COLUMNS
        text, opening, opens, begins = b"\n".join(lines), self._opening, 0, False
        if quote is not None:
            before = _before_quotes(text, quote)
            begins = b"\n" in before or text.startswith(quote)
            if delimiter and (delimiter[-1:] in before or quote in delimiter):
                opens = text.count(opening)
        if is_simple and not opens and not begins and b"" not in lines:
            return held, widths
        if is_simple and 2 * opens >= len(lines) and (table := self._table(text, lines)) is not None:
            return table
        for at, line in enumerate(lines):
            if not line:
                widths[at] = 0
            elif not is_simple or (code is not None and (line[0] == code or (opens and opening in line))):
                fields = self.fields(line)
                widths[at] = 0 if fields is None or fields in ([None], [b""]) else len(fields)
                held[at] = None if fields is None and is_simple and self._is_damaged(line) else fields or []
        return held, widths

    def _table(self, text: bytes, lines: list[bytes]) -> tuple[list[Held], list[int]] | None:
        """The same for many lines at once; None where a quote is not at the edge of a field, or a line is blank."""
        delimiter, quote, code = self.delimiter, self.quote, self._quote_code
        if delimiter is None or quote is None or code is None or len(delimiter + quote) > 2 or delimiter == quote:
            return None
        parts = text.split(quote)
        bare = quote.join(parts[::2])  # where a field was quoted, a quote is left, and one for each that is doubled
        if not len(parts) % 2 or bare.count(b"\n") != len(lines) - 1 or b"" in lines or _CR in text:
            return None
        cells = bare.replace(b"\n", delimiter).split(delimiter)
        fields = self._with_nulls(cells)
        part = 1
        for at, cell in enumerate(cells):
            if code in cell:
                if cell == quote:
                    fields[at] = parts[part]
                elif cell.strip(quote):
                    return None
                else:
                    fields[at] = quote.join(parts[part : part + 2 * len(cell) : 2])
                part += 2 * len(cell)
        widths = [line.count(delimiter) + 1 for line in bare.split(b"\n")]
        held: list[Held] = [fields[end - width : end] for end, width in zip(accumulate(widths), widths, strict=True)]
        if 1 in widths:
            widths = [0 if each in ([None], [b""]) else width for each, width in zip(held, widths, strict=True)]
        return held, widths

    def _is_damaged(self, line: bytes) -> bool:
        """Whether a quote opens a field of the line and closes inside of it, but not at the end of a field."""
        if self.delimiter and len(self.delimiter) > 1:
            return False  # the exact reader looks further than this line
        good = self._closed_line.whole.match(line)
        at = 0 if good is None else good.end() + 1
        return self._closed_line.closing.match(line, at) is not None

    def count(self, line: bytes) -> int:
        """The number of fields in a line that is a whole record, 0 if it is not."""
        record = self.tokenise(line, 0, True, 0)
        return len(record.fields) if record.fields is not None and record.end == len(line) else 0

    def fits(self, buf: bytes, pos: int, eof: bool, arity: int) -> bool:
        """Whether the line at `pos` is a record of `arity`."""
        if pos >= len(buf):
            return False
        text_end, _ = self.line(buf, pos, eof)
        return self.count(buf[pos:text_end]) == arity

    def tokenise(self, buf: bytes, pos: int, eof: bool, arity: int = 0) -> Record:
        """The same for a record at a line that takes a closer look."""
        fields: list[bytes | None] = []
        exact = self._exact
        first_quoted_line = -1
        at = pos
        while True:
            if exact.opening and exact.quoted and exact.opening.match(buf, at):
                match = exact.quoted.match(buf, at)
                if match is None:
                    return self._broken(buf, at, eof, arity)
                if match.end() == len(buf) and not eof:
                    raise NeedMore
                body = match[1]
                if b"\n" in body or b"\r" in body:
                    if self._is_stray(buf, at, match.end(), arity):
                        return Record(self.line(buf, at, eof)[1], None)
                    first_quoted_line = at if first_quoted_line < 0 else first_quoted_line
                fields.append(self._plain(body, quoted=True))
                at = match.end()
            else:
                match = exact.bare.match(buf, at)
                assert match is not None
                fields.append(None if match[0] in self._nulls else self._plain(match[0], quoted=False))
                at = match.end()
            if self.delimiter and len(fields) <= MAX_COLUMNS and buf.startswith(self.delimiter, at):
                at += len(self.delimiter)
                continue
            _, end = self.line(buf, at, eof)
            if first_quoted_line >= 0 and arity > 1 and len(fields) != arity and self._resync:
                _, next_line = self.line(buf, first_quoted_line, eof)
                if self._has_all_delimiters(buf, first_quoted_line, arity) and self.fits(buf, next_line, eof, arity):
                    return Record(next_line, None)
            return Record(end, fields)

    def _broken(self, buf: bytes, at: int, eof: bool, arity: int) -> Record:
        """A quoted field that does not close, or closes in the middle of text."""
        exact = self._exact
        opened = exact.opening.match(buf, at) if exact.opening else None
        assert opened is not None and exact.body is not None
        unclosed = exact.body.match(buf, opened.end())
        edge = len(buf) - 1 - len(self.delimiter or b" ")
        at_edge = unclosed is not None and unclosed.end() >= edge
        if at_edge and not eof and not self._is_stray(buf, at, len(buf), arity):
            raise NeedMore
        return Record(self.line(buf, at, eof)[1], None)

    def _is_stray(self, buf: bytes, at: int, close: int, arity: int) -> bool:
        """Whether enough of the whole lines between an opening quote and `close`, and half of them, are records."""
        if not self._resync or arity < 2 or not self._has_all_delimiters(buf, at, arity):
            return False
        ends = [found.span() for found in islice(self.line_end.finditer(buf, at, close), LOOK_AHEAD_LINES + 1)]
        lines = [buf[start:end] for (_, start), (end, _) in pairwise(ends)]
        if len(lines) < resync_lines(arity):
            return False
        records = sum(self.count(line) == arity for line in lines)
        return records >= resync_lines(arity) and 2 * records >= len(lines)

    def _has_all_delimiters(self, buf: bytes, at: int, arity: int) -> bool:
        """Whether the line of an opening quote has the delimiters of a whole record, as it has around a stray one."""
        if self.delimiter is None:
            return False
        floor = max(0, at - _LONG_LINE)
        start = max(buf.rfind(b"\n", floor, at), buf.rfind(b"\r", floor, at), floor - 1) + 1
        found = self.line_end.search(buf, at)
        return buf.count(self.delimiter, start, found.start() if found else len(buf)) >= arity - 1

    def _plain(self, field: bytes, quoted: bool) -> bytes:
        if self.escape and self.escape in field:
            assert self._exact.unescape is not None
            return self._exact.unescape.sub(_keep if quoted else _keep_escaped, field)
        if quoted and self.quote and self.quote in field:
            return field.replace(self.quote * 2, self.quote)
        return field


@lru_cache(maxsize=4)
def _before_quotes(text: bytes, quote: bytes) -> frozenset[bytes]:
    """What stands before the quotes of a text; it is asked for each delimiter."""
    return frozenset(map(_LAST_BYTE, text.split(quote)[:-1]))


def _keep(match: re.Match[bytes]) -> bytes:
    return match[1] if match[1] is not None else match[2]


def _keep_escaped(match: re.Match[bytes]) -> bytes:
    return match[1] if match[1] is not None else match[0]
