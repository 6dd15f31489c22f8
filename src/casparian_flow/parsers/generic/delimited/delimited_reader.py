"""The tables of one stream, read to its end."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from casparian_flow.sdk import Rejected, Rows, Verdict
from delimited_batches import Gatherer
from delimited_blocks import BlockReader
from delimited_layout import Layout
from delimited_ledger import Ledger
from delimited_records import Grammar, NeedMore, Record
from delimited_stream import Stream

BLOCK = 1 << 20
SMALL_BLOCK = 64 << 10
MAX_RECORD = 16 << 20
RAW = 64 << 10
BATCH_ROWS = 16384

Item = Rows | Rejected | Verdict


class TableReader:
    """Reads the rows of one table from where the stream stands; every byte goes through the ledger."""

    def __init__(
        self, stream: Stream, layout: Layout, output: str, ledger: Ledger, *, resync: bool = True, vectorised: bool = True
    ) -> None:
        self._stream = stream
        self._layout = layout
        self._output = output
        self._ledger = ledger
        self._grammar = Grammar(layout.dialect, resync)
        self._blocks = BlockReader(layout)
        self._vectorised = vectorised and self._blocks.works
        self._gathered = Gatherer(output, layout)
        self._row = 0

    def read(self) -> Iterator[Item]:
        """Everything up to the end of the table."""
        size, slow = BLOCK, 0
        while self._has_more():
            stream = self._stream
            if self._vectorised and not slow:
                stop = min(len(stream.buf), stream.pos + size)
                block = self._blocks.read(stream.buf, stream.pos, stop, stream.eof)
                if block is not None:
                    if (rows := self._gathered.flush()) is not None:
                        yield rows
                    starts, ends = stream.origins(block.starts), stream.origins(block.ends)
                    self._ledger.mark("rows", int(starts[0]), int(ends[-1]))
                    yield from self._batches(block.columns, starts, ends)
                    stream.pos = block.end
                    size = min(BLOCK, size * 2)
                    continue
                if size > SMALL_BLOCK:
                    size = SMALL_BLOCK
                    continue
                slow = SMALL_BLOCK
            before = stream.pos
            yield from self._one()
            if slow:
                slow = max(0, slow - max(1, stream.pos - before))
        if (rows := self._gathered.flush()) is not None:
            yield rows

    def _has_more(self) -> bool:
        stream = self._stream
        if len(stream.buf) - stream.pos < BLOCK:
            stream.fill(BLOCK)
        return stream.pos < len(stream.buf)

    def _batches(self, columns: object, starts: np.ndarray, ends: np.ndarray) -> Iterator[Rows]:
        rows = np.arange(self._row + 1, self._row + 1 + len(starts), dtype=np.int64)
        self._row += len(starts)
        for at in range(0, len(starts), BATCH_ROWS):
            part = slice(at, at + BATCH_ROWS)
            yield Rows(self._output, columns.slice(at, BATCH_ROWS), rows[part], starts[part], ends[part])

    def _one(self) -> Iterator[Item]:
        """One record, exactly."""
        stream = self._stream
        record = self._next_record()
        start = stream.origin(stream.pos)
        if record is None:
            yield self._skip_oversize(start)
            return
        text = stream.buf[stream.pos : record.end]
        if record.fields is None:
            yield self._skip_damage(start, record.end)
            return
        end = stream.origin(record.end)
        stream.pos = record.end
        if _is_blank(record.fields, self._layout.width, text):
            self._ledger.mark("blank", start, end)
            return
        fault = self._fault(record.fields, text)
        if fault is not None:
            yield self._reject(*fault, start, end)
            return
        self._row += 1
        self._ledger.mark("rows", start, end)
        if self._gathered.add(record.fields, self._row, start, end) and (rows := self._gathered.flush()) is not None:
            yield rows

    def _next_record(self) -> Record | None:
        """The next record, None where it is longer than any record may be."""
        stream = self._stream
        while True:
            try:
                return self._grammar.read(stream.buf, stream.pos, stream.eof, self._layout.width)
            except NeedMore:
                have = len(stream.buf) - stream.pos
                if have >= MAX_RECORD:
                    return None
                stream.fill(min(2 * have, MAX_RECORD))

    def _fault(self, fields: list[bytes | None], text: bytes) -> tuple[str, str] | None:
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                return "cf.csv.encoding", "bytes that are not text in the file's encoding"
        if b"\x00" in text:
            return "cf.csv.nul", "a NUL byte"
        width, found = self._layout.width, len(fields)
        if found != width and not (self._layout.trailing and found == width - 1):
            return "cf.csv.arity", f"{found} fields where the table has {self._layout.arity}"
        if self._layout.trailing and found == width and fields[-1]:
            return "cf.csv.arity", f"{found} fields where the table has {self._layout.arity}"
        return None

    def _reject(self, code: str, message: str, start: int, end: int) -> Rejected:
        self._row += 1
        self._ledger.mark("rejected", start, end)
        raw = self._stream.raw(start, min(end, start + RAW))
        return Rejected(self._output, code, message, start, end, raw=raw, source_row=self._row)

    def _skip_damage(self, start: int, line_end: int) -> Rejected:
        """From a damaged line to the next line that is a record again."""
        stream = self._stream
        stream.pos = line_end
        while self._has_more():
            found, stream.pos = self._resync()
            if found:
                break
        return self._reject("cf.csv.quote", "a quote that does not close where a field ends", start, stream.origin(stream.pos))

    def _resync(self) -> tuple[bool, int]:
        """The next line in the window that is a record of the table; else how far there is none."""
        stream, width = self._stream, self._layout.width
        pos = stream.pos
        try:
            while pos < len(stream.buf):
                text_end, end = self._grammar.line(stream.buf, pos, stream.eof)
                if self._grammar.count(stream.buf[pos:text_end]) == width:
                    return True, pos
                pos = end
        except NeedMore:
            if pos == stream.pos:
                if len(stream.buf) - pos >= MAX_RECORD:
                    return False, len(stream.buf)
                stream.fill(2 * (len(stream.buf) - pos))
                return False, stream.pos
        return False, pos

    def _skip_oversize(self, start: int) -> Rejected:
        """Past a record that is longer than memory should hold: to the end of its line, or to the next record."""
        stream = self._stream
        while True:
            found = self._grammar.line_end.search(stream.buf, stream.pos)
            if found is not None and (stream.eof or found.end() < len(stream.buf)):
                stream.pos = found.end()
                break
            stream.pos = len(stream.buf)
            if not stream.fill(BLOCK):
                break
        while self._has_more():
            fits, stream.pos = self._resync()
            if fits:
                break
        message = f"a record of more than {MAX_RECORD >> 20} MiB"
        return self._reject("cf.csv.oversize", message, start, stream.origin(stream.pos))


def _is_blank(fields: list[bytes | None], width: int, text: bytes) -> bool:
    if len(fields) > 1:
        return False
    return not text.strip(b"\r\n") or (width > 1 and not text.strip())
