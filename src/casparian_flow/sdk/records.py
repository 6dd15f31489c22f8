"""Log records: a line and the indented lines that continue it; needs pyarrow and numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from casparian_flow.sdk.emit import Rejected, Rows
from casparian_flow.sdk.lines import MAX_LINE, MAX_RAW, Int64s, LineBlock


@dataclass(frozen=True, slots=True, eq=False)
class RecordBlock:
    """Records of one block: `first` and `last` are the indices of each one's lines, `head` its first line.

    Blank lines are no records. What continues a record stands in `message` behind the part of the head given to it.
    """

    block: LineBlock
    first: Int64s
    last: Int64s
    head: Any

    def __len__(self) -> int:
        return len(self.first)

    def message(self, texts: Any, chosen: Int64s) -> Any:
        """The texts of the chosen records, each with the lines that continue it."""
        first, last = self.first[chosen], self.last[chosen]
        if (first == last).all():
            return texts
        lengths = last - first + 1
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        lines = np.repeat(first - offsets[:-1], lengths) + np.arange(offsets[-1])
        parts = self.block.text.take(pa.array(lines))
        is_head = np.zeros(len(lines), np.bool_)
        is_head[offsets[:-1]] = True
        parts = pc.replace_with_mask(parts, pa.array(is_head), texts)
        return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), parts), "\n")

    def raw_text(self, chosen: Int64s) -> Any:
        """The whole text of the chosen records."""
        return self.message(self.head.take(pa.array(chosen)), chosen)

    def rows(self, output: str, data: Any, chosen: Int64s) -> Rows:
        """Rows of the chosen records; the source row is the number of the first line."""
        first, last = self.first[chosen], self.last[chosen]
        return Rows(
            output, data, source_row=self.block.number[first], start=self.block.start[first], end=self.block.end[last]
        )

    def reject(self, output: str, record: int, message: str) -> Rejected:
        """The rejection of one record: `cf.log.encoding`, `cf.log.too_long`, else `cf.log.line` with the message."""
        first, last = int(self.first[record]), int(self.last[record])
        start, end = int(self.block.start[first]), int(self.block.end[last])
        code = "cf.log.line"
        if self.block.is_broken[first : last + 1].any():
            code = "cf.log.too_long" if self.block.is_cut else "cf.log.encoding"
            message = "the line is longer than 16 MiB" if self.block.is_cut else "the line cannot be decoded"
        raw = self.block.data[start - self.block.offset : min(end - self.block.offset, start + MAX_RAW)]
        return Rejected(
            output, code, message, start=start, end=end, raw=raw[:MAX_RAW], source_row=int(self.block.number[first])
        )


def read_records(blocks: Iterable[LineBlock]) -> Iterator[RecordBlock]:
    """Every record of consecutive blocks of lines; one that crosses blocks is put together up to 16 MiB."""
    held: LineBlock | None = None
    for block in blocks:
        if held is not None and not block.is_cut:
            block = _joined(held, block)
        elif held is not None:
            yield _records(held)
        heads = np.flatnonzero(~_continues(block))
        last = int(heads[-1]) if len(heads) else 0
        size = int(block.end[-1] - block.start[last])
        if block.is_cut or size > MAX_LINE:
            yield _records(block)
            held = None
            continue
        if last:
            yield _records(_part(block, 0, last))
        held = _part(block, last, len(block))
    if held is not None:
        yield _records(held)


def records_apart(blocks: Iterable[LineBlock]) -> Iterator[RecordBlock]:
    """The record of each block of lines, as `read_records` gives it from the whole file."""
    yield from map(_records, blocks)


def _continues(block: LineBlock) -> Any:
    """Which lines begin with a space or a tab and so belong to the line before."""
    first = pc.utf8_slice_codeunits(block.text, 0, 1)
    return np.asarray(pc.is_in(first, value_set=pa.array([" ", "\t"]))) & ~block.is_broken


def _records(block: LineBlock) -> RecordBlock:
    continues = _continues(block)
    if len(continues):
        continues[0] = False
    first = np.flatnonzero(~continues)
    last = np.append(first[1:], len(block)) - 1
    head = block.text.take(pa.array(first))
    is_record = np.asarray(pc.greater(pc.binary_length(pc.ascii_trim_whitespace(head)), 0)) | block.is_broken[first]
    is_record |= last > first
    return RecordBlock(block, first[is_record], last[is_record], head.filter(pa.array(is_record)))


def _part(block: LineBlock, first: int, last: int) -> LineBlock:
    start = int(block.start[first])
    end = int(block.start[last]) if last < len(block) else block.offset + len(block.data)
    return LineBlock(
        text=block.text.slice(first, last - first),
        number=block.number[first:last],
        start=block.start[first:last],
        end=block.end[first:last],
        is_broken=block.is_broken[first:last],
        is_cut=block.is_cut,
        data=block.data[start - block.offset : end - block.offset],
        offset=start,
    )


def _joined(one: LineBlock, two: LineBlock) -> LineBlock:
    return LineBlock(
        text=pa.concat_arrays([one.text, two.text]),
        number=np.concatenate((one.number, two.number)),
        start=np.concatenate((one.start, two.start)),
        end=np.concatenate((one.end, two.end)),
        is_broken=np.concatenate((one.is_broken, two.is_broken)),
        is_cut=False,
        data=one.data + two.data,
        offset=one.offset,
    )
