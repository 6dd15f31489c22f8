"""The rows of one table, in whole blocks where they verify and one by one where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from delimited_batches import Block, Gatherer
from delimited_blocks import BlockReader, is_simple
from delimited_damage import is_confined, resync, skip_line
from delimited_few import FewReader
from delimited_header import looks_like_header
from delimited_layout import Layout
from delimited_ledger import Ledger
from delimited_records import Grammar, NeedMore, Record
from delimited_sniff import Fixed, Sniffed
from delimited_stream import MAX_RECORD, Stream
from delimited_tables import LOOK_AHEAD, next_table

from casparian_flow.sdk import Rejected, Rows, Verdict

BLOCK = 1 << 20
LEAST_BLOCK = 16 << 10
RAW = 64 << 10
COMMENTS = 20
_MOST_PATIENCE = 1024

Item = Rows | Rejected | Verdict


class TableReader:
    """Reads one table from where the stream stands to where another begins; the ledger sees every byte."""

    def __init__(
        self,
        stream: Stream,
        layout: Layout,
        output: str,
        ledger: Ledger,
        fixed: Fixed,
        *,
        may_resync: bool = True,
        nulls: tuple[str, ...] = (),
        vectorised: bool = True,
    ) -> None:
        self._stream = stream
        self._layout = layout
        self._output = output
        self._ledger = ledger
        self._fixed = fixed
        self._grammar = Grammar.of(layout.dialect, may_resync, nulls)
        self._may_resync = may_resync
        self._nulls = nulls
        self._vectorised = vectorised and is_simple(layout.dialect)
        self._gathered = Gatherer(output, layout)
        self._header = [list(line.fields or ()) for line in layout.header[:1]]
        self._has_typed_header = bool(self._header) and looks_like_header(self._header[0], layout.kinds)
        self._row = 0
        self._gap = False
        self._doubts = 0
        self._patience = 0
        self._comments = 0
        self.next: Sniffed | None = None
        """After `read`: the dialect of the table that begins where the stream stands, None at the end of the file."""

    def read(self) -> Iterator[Item]:
        """Every row and rejection of the table."""
        stream, gathered = self._stream, self._gathered
        size, exact = BLOCK, 0
        while self.next is None and stream.has_more(BLOCK):
            if self._vectorised and exact <= 0:
                stop = min(len(stream.buf), stream.pos + size)
                reader = self._few if stop - stream.pos <= LEAST_BLOCK else self._blocks
                block = reader.read(stream.buf, stream.pos, stop, stream.eof)
                if block is None and stop - stream.pos > LEAST_BLOCK:
                    size = (stop - stream.pos) >> 3
                    continue
                if block is not None:
                    self._take(block)
                    size = min(BLOCK, size * 4)
                exact = 0 if block is not None else LEAST_BLOCK
            if exact > 0 or not self._vectorised:
                before = stream.origin(stream.pos)
                yield from self._read_one()
                exact -= stream.origin(stream.pos) - before
            if gathered.is_full:
                yield from gathered.flush()
        yield from gathered.flush()

    @cached_property
    def _blocks(self) -> BlockReader:
        return BlockReader(self._layout, self._may_resync, self._nulls)

    @cached_property
    def _few(self) -> FewReader:
        return FewReader(self._layout, self._grammar, self._nulls)

    def _take(self, block: Block) -> None:
        stream = self._stream
        starts, ends = stream.origins(block.starts), stream.origins(block.ends)
        self._ledger.mark("rows", int(starts[0]), int(ends[-1]))
        self._gathered.add_block(block.columns, self._row + 1, starts, ends)
        self._row += len(starts)
        self._gap = False
        stream.pos = block.end

    def _read_one(self) -> Iterator[Item]:
        """One record, or one damaged span, or one blank line."""
        stream = self._stream
        record = self._next_record()
        start = stream.origin(stream.pos)
        if record is None:
            self._gap = False
            skip_line(stream, self._grammar)
            resync(stream, self._grammar, self._layout.width)
            yield self._reject("cf.csv.oversize", f"a record of more than {MAX_RECORD >> 20} MiB", start)
        elif record.fields is None:
            if self._gap and self._another_begins():
                return
            self._gap = False
            line = stream.buf[stream.pos : record.end]
            stream.pos = record.end
            if not is_confined(line, self._grammar, self._layout.width):
                resync(stream, self._grammar, self._layout.width)
            yield self._reject("cf.csv.quote", "a quote that does not close at the end of a field", start)
        else:
            yield from self._judge(record.fields, stream.buf[stream.pos : record.end], record.end)

    def _judge(self, fields: list[bytes | None], text: bytes, next_pos: int) -> Iterator[Item]:
        stream, width = self._stream, self._layout.width
        start = stream.origin(stream.pos)
        if len(fields) == 1 and (not text.strip(b"\r\n\x1a") or (width > 1 and not text.strip())):
            stream.pos = next_pos
            self._ledger.mark("blank", start, stream.origin(next_pos))
            self._gap = True
            return
        uneven = len(fields) != width and not (self._layout.trailing and len(fields) == width - 1)
        is_suspect = uneven or (self._gap and looks_like_header(fields, self._layout.kinds))
        if is_suspect and self._another_begins():
            return
        was_gap, self._gap = self._gap, False
        stream.pos = next_pos
        end = stream.origin(next_pos)
        if uneven and text.startswith(b"#") and _is_text(text):
            self._ledger.mark("comment", start, end)
            self._comments += 1
            if self._comments <= COMMENTS:
                yield Verdict("comment", text.decode().rstrip("\r\n")[:500])
        elif self._is_header_again(fields, was_gap):
            self._ledger.mark("header", start, end)
            yield Verdict("header", f"again at byte {start}")
        elif (fault := self._fault(fields, text, uneven)) is not None:
            yield self._reject(*fault, start)
        else:
            self._row += 1
            self._ledger.mark("rows", start, end)
            if len(fields) < width:
                fields = [*fields, None]
            self._gathered.add_row(fields, self._row, start, end)

    def _is_header_again(self, fields: list[bytes | None], after_gap: bool) -> bool:
        """The header of the table, repeated: after a blank line, or where no row could read like it."""
        return (self._has_typed_header or after_gap) and bool(self._header) and fields == self._header[0]

    def _another_begins(self) -> bool:
        """Whether another table begins here; asked less often the more often it was in vain."""
        if self._doubts < self._patience and not self._gap:
            self._doubts += 1
            return False
        stream = self._stream
        stream.has_more(LOOK_AHEAD)
        sample = stream.buf[stream.pos : stream.pos + LOOK_AHEAD]
        at_end = stream.eof and len(stream.buf) - stream.pos <= LOOK_AHEAD
        self.next = next_table(sample, at_end, self._layout, self._gap, self._fixed)
        self._doubts = 0
        self._patience = min(_MOST_PATIENCE, 2 * self._patience + 1)
        return self.next is not None

    def _next_record(self) -> Record | None:
        """The next record; damage where its quote does not close, None where its line is longer than may be."""
        stream = self._stream
        while True:
            try:
                return self._grammar.read(stream.buf, stream.pos, stream.eof, self._layout.width)
            except NeedMore:
                have = len(stream.buf) - stream.pos
                if have >= MAX_RECORD:
                    line_end = self._grammar.line_end.search(stream.buf, stream.pos)
                    return None if line_end is None else Record(line_end.end(), None)
                stream.fill(min(2 * have, MAX_RECORD))

    def _fault(self, fields: list[bytes | None], text: bytes, uneven: bool) -> tuple[str, str] | None:
        if not _is_text(text):
            return "cf.csv.encoding", "bytes that are not text in the encoding of the file"
        if b"\x00" in text:
            return "cf.csv.nul", "a NUL byte"
        if uneven or (self._layout.trailing and len(fields) == self._layout.width and fields[-1]):
            return "cf.csv.arity", f"{len(fields)} fields where the table has {self._layout.arity}"
        return None

    def _reject(self, code: str, message: str, start: int) -> Rejected:
        """The span from `start` to where the stream stands."""
        end = self._stream.origin(self._stream.pos)
        self._row += 1
        self._ledger.mark("rejected", start, end)
        raw = self._stream.raw(start, min(end, start + RAW))
        return Rejected(self._output, code, message, start, end, raw=raw, source_row=self._row)


def _is_text(text: bytes) -> bool:
    try:
        return text.isascii() or bool(text.decode())
    except UnicodeDecodeError:
        return False
