"""The vectorised reader: whole blocks of records whose structure can be verified without looking at each."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as pc
from delimited_batches import Block
from delimited_dialect import Dialect
from delimited_kinds import EMPTY, TEXT
from delimited_layout import Layout
from delimited_records import resync_lines

LF, CR = 10, 13
_ABSENT = "\x1f"
_BOM = b"\xef\xbb\xbf"


class BlockReader:
    """Reads blocks of one table. A block it cannot vouch for is left to the exact reader."""

    def __init__(self, layout: Layout, may_resync: bool, nulls: tuple[str, ...]) -> None:
        dialect = layout.dialect
        self._layout = layout
        self._may_resync = may_resync
        self._quote = ord(dialect.quote) if dialect.quote and ord(dialect.quote) < 128 else None
        self._delimiter = dialect.delimiter
        names = [f"f{i}" for i in range(layout.width)]
        delimiter = dialect.delimiter or _ABSENT
        self._literal = pc.ParseOptions(delimiter=delimiter, quote_char=False, escape_char=False)
        self._quoted, self._folded = (
            pc.ParseOptions(
                delimiter=delimiter,
                quote_char=dialect.quote or False,
                double_quote=True,
                escape_char=False,
                newlines_in_values=may_span_lines,  # Arrow then looks for the end of the last record by itself
            )
            for may_span_lines in (False, True)
        )
        self._ascii, self._utf8 = (
            pc.ConvertOptions(
                column_types=pa.schema([(name, pa.string()) for name in names]),
                null_values=["", *nulls],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                check_utf8=is_checked,
            )
            for is_checked in (False, True)
        )
        self._names = names
        self._header = telling_name(layout)

    def read(self, buf: bytes, pos: int, stop: int, eof: bool) -> Block | None:
        """The records that start at `pos` and end by `stop`, or None where anything is out of the ordinary."""
        view = memoryview(buf)[pos:stop]
        codes = np.frombuffer(view, np.uint8)
        at_end = eof and stop == len(buf)
        if not is_ordinary(buf, pos, stop) or (self._delimiter is None and buf.find(_ABSENT.encode(), pos, stop) >= 0):
            return None
        line_ends = self._line_ends(buf, codes, pos, stop, at_end)
        if line_ends is None:
            return None
        quotes = None
        parse = self._literal
        if self._quote is not None and buf.find(self._quote, pos, stop) >= 0:
            quotes = np.flatnonzero(codes == self._quote)
            if not self._at_edge(codes, quotes, quotes - 1).any() and not self._layout.dialect.lead:
                quotes = None  # all of them stand inside of text
        if quotes is not None:
            record_ends = line_ends[(np.searchsorted(quotes, line_ends) & 1) == 0]
            if not len(record_ends):
                return None
            quotes = quotes[: np.searchsorted(quotes, record_ends[-1])]
            if not self._is_well_quoted(codes, quotes):
                return None
            is_folded = len(record_ends) < len(line_ends)
            if is_folded and self._may_hide_records(codes, line_ends, record_ends):
                return None
            parse = self._folded if is_folded else self._quoted
        else:
            record_ends = line_ends
        if not len(record_ends):
            return None
        ends = np.minimum(record_ends + 1, len(codes))
        starts = np.empty_like(ends)
        starts[0] = 0
        starts[1:] = ends[:-1]
        if self._has_blank(codes, starts, record_ends):
            return None
        convert = self._ascii if codes.max() < 128 else self._utf8
        columns = self._columns(view[: int(ends[-1])], len(ends), parse, convert)
        if columns is None:
            return None
        return Block(columns, starts + pos, ends + pos, pos + int(ends[-1]))

    def _line_ends(self, buf: bytes, codes: np.ndarray, pos: int, stop: int, at_end: bool) -> np.ndarray | None:
        """The last byte of every line end; at the end of the file a line may end without one."""
        ends = np.flatnonzero(codes == LF)
        if buf.find(b"\r", pos, stop) >= 0:
            returns = np.flatnonzero(codes == CR)
            if not at_end and len(returns) and returns[-1] == len(codes) - 1:
                returns = returns[:-1]
            after = np.minimum(returns + 1, len(codes) - 1)
            alone = returns[(codes[after] != LF) | (after == returns)]
            if len(alone):
                if not self._layout.dialect.lone_cr:
                    return None
                ends = np.union1d(ends, alone)
        if at_end and (not len(ends) or ends[-1] != len(codes) - 1):
            ends = np.append(ends, len(codes))
        return ends

    def _is_well_quoted(self, codes: np.ndarray, quotes: np.ndarray) -> bool:
        """Whether quotes stand only at the edges of fields, or doubled inside them."""
        if not len(quotes):
            return True
        opening, closing = quotes[0::2], quotes[1::2]
        if len(opening) != len(closing):
            return False
        opens = self._at_edge(codes, opening, opening - 1)
        opens[1:] |= opening[1:] == closing[:-1] + 1
        if not opens.all():
            return False
        closes = self._at_edge(codes, closing, closing + 1)
        closes[:-1] |= closing[:-1] + 1 == opening[1:]
        return bool(closes.all())

    def _may_hide_records(self, codes: np.ndarray, line_ends: np.ndarray, record_ends: np.ndarray) -> bool:
        """Whether the lines inside some quoted field have enough delimiters to be records of their own."""
        if not self._may_resync or self._delimiter is None:
            return False
        delimiters = np.flatnonzero(codes == ord(self._delimiter))
        wide = np.diff(np.searchsorted(delimiters, line_ends), prepend=0) >= self._layout.width - 1
        record = np.searchsorted(record_ends, line_ends)
        inside = np.append(record[1:] == record[:-1], False)
        inside[1:] &= record[1:] == record[:-1]
        inside[0] = False
        hidden = np.bincount(record[inside & wide], minlength=1)
        return bool(hidden.max() >= resync_lines(self._layout.width))

    def _has_blank(self, codes: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> bool:
        short = starts[ends - starts < 2]
        if not len(short):
            return False
        first = codes[np.minimum(short, len(codes) - 1)]
        return bool(((first == LF) | (first == CR)).any()) or self._layout.width == 1

    def _at_edge(self, codes: np.ndarray, quotes: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """For each quote, whether the byte beside it delimits a field or lies outside of the block."""
        delimiter = ord(self._delimiter) if self._delimiter else LF
        outside = (beside < 0) | (beside >= len(codes))
        near = codes[np.clip(beside, 0, len(codes) - 1)]
        at_edge: np.ndarray = outside | (near == delimiter) | (near == LF) | (near == CR)
        return at_edge

    def _columns(
        self, view: memoryview, expected: int, parse: pc.ParseOptions, convert: pc.ConvertOptions
    ) -> pa.RecordBatch | None:
        if view[-1] not in (LF, CR):
            view = memoryview(bytes(view) + b"\n")
        options = pc.ReadOptions(use_threads=False, block_size=len(view) + 1, column_names=self._names)
        try:
            table = pc.read_csv(pa.py_buffer(view), read_options=options, parse_options=parse, convert_options=convert)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != expected:
            return None
        columns = [column.combine_chunks() for column in table.columns]
        columns = [c.chunk(0) if isinstance(c, pa.ChunkedArray) else c for c in columns]
        if self._layout.trailing:
            last = columns.pop()
            if last.null_count != expected:
                return None
        if self._header is not None:
            index, name = self._header
            if compute.any(compute.equal(columns[index], name)).as_py():
                return None
        return pa.RecordBatch.from_arrays(columns, schema=self._layout.schema)


def is_ordinary(buf: bytes, pos: int, stop: int) -> bool:
    """Whether the window neither has a NUL byte nor begins with the mark of an encoding."""
    return buf.find(b"\x00", pos, stop) < 0 and not buf.startswith(_BOM, pos)


def telling_name(layout: Layout) -> tuple[int, str] | None:
    """A typed column and its name: where the name turns up among the values, a header is repeated."""
    if not layout.header:
        return None
    cells = layout.header[0].fields or ()
    for index, (cell, kind) in enumerate(zip(cells, layout.kinds, strict=False)):
        if cell and kind not in (TEXT, EMPTY):
            return index, cell.decode("utf-8", "replace")
    return None


def is_simple(dialect: Dialect) -> bool:
    """Whether blocks of a dialect can be vouched for: neither escapes nor marks of several bytes."""
    single = dialect.delimiter is None or (len(dialect.delimiter) == 1 and ord(dialect.delimiter) < 128)
    return single and (dialect.quote is None or ord(dialect.quote) < 128) and dialect.escape is None
