"""The lines of a text file in blocks, decoded, each with its byte range in the file; needs pyarrow and numpy."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from casparian_flow.sdk.emit import Rejected, Rows
from casparian_flow.sdk.encodings import WINDOWS_1252, Encoding
from casparian_flow.sdk.parser import Span

BLOCK_BYTES = 1 << 22
MAX_LINE = 1 << 24
MAX_RAW = 1 << 16

Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LineBlock:
    r"""Consecutive lines. `text` is a string array of the lines without their ends (`\\n` or `\\r\\n`).

    `start` and `end` are the byte ranges `[start, end)` in the file, line ends left out; `number` counts lines
    from 1. A line with `is_broken` could not be decoded, or is too long where `is_cut`: its text is empty.
    """

    text: Any
    number: Int64s
    start: Int64s
    end: Int64s
    is_broken: Bools
    is_cut: bool
    data: bytes
    offset: int

    def __len__(self) -> int:
        return len(self.number)

    def raw(self, line: int) -> bytes:
        """The bytes of one line as they stand in the file, at most 64 KiB of them."""
        start = int(self.start[line]) - self.offset
        return self.data[start : min(int(self.end[line]) - self.offset, start + MAX_RAW)]

    def reject(self, output: str, line: int, code: str, message: str, source_row: int | None = None) -> Rejected:
        """The rejection of one line; its number is the source row unless another is given."""
        return Rejected(
            output=output,
            code=code,
            message=message,
            start=int(self.start[line]),
            end=int(self.end[line]),
            raw=self.raw(line),
            source_row=int(self.number[line]) if source_row is None else source_row,
        )

    def rows(self, output: str, data: Any, lines: Any = slice(None)) -> Rows:
        """Rows for the chosen lines (indices or a mask), one each, in their order."""
        return Rows(output, data, source_row=self.number[lines], start=self.start[lines], end=self.end[lines])


def read_blocks(
    path: Path, encoding: Encoding, *, block_bytes: int = BLOCK_BYTES, max_line: int = MAX_LINE
) -> Iterator[LineBlock]:
    """Every line of the file, in order; memory is bounded by the block size and the longest line allowed."""
    with path.open("rb") as file:
        file.seek(encoding.mark)
        block_bytes = min(block_bytes, max_line)
        yield from _read(file, encoding, block_bytes - block_bytes % 2, max_line)


def read_spans(
    path: Path, encoding: Encoding, spans: Iterable[Span], *, max_line: int = MAX_LINE
) -> Iterator[LineBlock]:
    """The lines of each span as one block, as `read_blocks` gives them; the first has the number of the span."""
    with path.open("rb") as file:
        for row, start, end in spans:
            file.seek(start)
            if end - start > max_line:
                yield _cut_block(file.read(MAX_RAW), start, end, row)
            else:
                yield _block(file.read(end - start), encoding, start, row)


def _read(file: BinaryIO, encoding: Encoding, block_bytes: int, max_line: int) -> Iterator[LineBlock]:
    offset, number, carry = encoding.mark, 1, b""
    while piece := file.read(block_bytes):
        data = carry + piece
        if len(data) > max_line and not _first_fits(data, encoding, max_line):
            end, carry = _skip_line(file, encoding, block_bytes, offset, data)
            yield _cut_block(data[: min(MAX_RAW, end - offset)], offset, end, number)
            offset, number = end + encoding.unit, number + 1
            continue
        cut = _last_line_end(data, encoding)
        if cut:
            block = _block(data[:cut], encoding, offset, number)
            yield block
            offset, number = offset + cut, number + len(block)
        carry = data[cut:]
    if carry:
        yield _block(carry, encoding, offset, number)


def _first_fits(data: bytes, encoding: Encoding, max_line: int) -> bool:
    """Whether the first line is no longer than a line may be; no other one can be."""
    ends = _line_ends(data[: max_line + encoding.unit], encoding)
    return len(ends) > 0


def _skip_line(file: BinaryIO, encoding: Encoding, block_bytes: int, position: int, piece: bytes) -> tuple[int, bytes]:
    """Where a line that is too long ends, and what was read beyond it."""
    while piece:
        ends = _line_ends(piece, encoding)
        if len(ends):
            first = int(ends[0])
            return position + first, piece[first + encoding.unit :]
        position += len(piece)
        piece = file.read(block_bytes)
    return position, b""


def _line_ends(data: bytes, encoding: Encoding) -> Int64s:
    """Offsets of the line feeds."""
    if encoding.unit == 1:
        return np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    units = np.frombuffer(data, "<u2" if encoding.name == "utf-16-le" else ">u2", len(data) // 2)
    return np.flatnonzero(units == 10) * 2


def _last_line_end(data: bytes, encoding: Encoding) -> int:
    """The offset behind the last line feed, 0 if there is none."""
    if encoding.unit == 1:
        return data.rfind(b"\n") + 1
    ends = _line_ends(data, encoding)
    return int(ends[-1]) + 2 if len(ends) else 0


def _block(data: bytes, encoding: Encoding, offset: int, number: int) -> LineBlock:
    feeds = _line_ends(data, encoding)
    is_open = not len(feeds) or feeds[-1] + encoding.unit < len(data)
    ends = np.append(feeds, len(data)) if is_open else feeds
    starts = np.concatenate(([0], ends[:-1] + encoding.unit)).astype(np.int64)
    ends = _without_returns(data, encoding, starts, ends)
    text, is_broken = _decode(data, encoding, starts, ends)
    numbers = np.arange(number, number + len(starts), dtype=np.int64)
    return LineBlock(text, numbers, starts + offset, ends + offset, is_broken, False, data, offset)


def _cut_block(head: bytes, start: int, end: int, number: int) -> LineBlock:
    return LineBlock(
        pa.array([""], pa.string()),
        np.array([number], np.int64),
        np.array([start], np.int64),
        np.array([end], np.int64),
        np.array([True]),
        True,
        head,
        start,
    )


def _without_returns(data: bytes, encoding: Encoding, starts: Int64s, ends: Int64s) -> Int64s:
    """The ends of the lines, before a carriage return that stands there; an unfinished last line keeps its own."""
    if b"\r" not in data:
        return ends
    unit = encoding.unit
    code_units = (
        np.frombuffer(data, np.uint8)
        if unit == 1
        else np.frombuffer(data, "<u2" if encoding.name == "utf-16-le" else ">u2", len(data) // 2)
    )
    before = np.maximum(ends // unit - 1, 0)
    has_return = (ends > starts) & (ends < len(data)) & (code_units[before] == 13)
    stripped: Int64s = ends - unit * has_return
    return stripped


def slices(buffer: Any, starts: Int64s, ends: Int64s) -> Any:
    """A string array of the pieces `[start, end)` of UTF-8 bytes; they are in order and do not overlap."""
    bounds = np.empty(2 * len(starts) + 1, np.int32)
    bounds[0:-1:2], bounds[1::2] = starts, ends
    bounds[-1] = ends[-1] if len(ends) else 0
    pieces = pa.StringArray.from_buffers(2 * len(starts), pa.py_buffer(bounds), pa.py_buffer(buffer))
    return pieces.take(pa.array(np.arange(0, 2 * len(starts), 2)))


def _decode(data: bytes, encoding: Encoding, starts: Int64s, ends: Int64s) -> tuple[Any, Bools]:
    is_broken = np.zeros(len(starts), np.bool_)
    if data.isascii() and encoding.unit == 1:
        return slices(data, starts, ends), is_broken
    try:
        if encoding.name == "utf-8":
            data.decode()
            return slices(data, starts, ends), is_broken
        if encoding.name == "cp1252":
            return _recoded(codecs.charmap_decode(data, "strict", WINDOWS_1252)[0]), is_broken
        return _recoded(data.decode(encoding.name)), is_broken
    except UnicodeDecodeError:
        return _decode_each(data, encoding, starts, ends, is_broken)


def _recoded(text: str) -> Any:
    """The lines of decoded text; line feeds are where they were, so the count is the same."""
    return _block(text.encode(), Encoding("utf-8"), 0, 1).text


def _decode_each(data: bytes, encoding: Encoding, starts: Int64s, ends: Int64s, is_broken: Bools) -> tuple[Any, Bools]:
    lines: list[str] = []
    for at, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        try:
            lines.append(data[start:end].decode(encoding.name))
        except UnicodeDecodeError:
            lines.append("")
            is_broken[at] = True
    return pa.array(lines, pa.string()), is_broken
