"""The reader of a few records at once, as in small files: their lines are split before any is asked about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from delimited_batches import Block, batch_of
from delimited_blocks import is_ordinary, telling_name
from delimited_layout import Layout
from delimited_records import Grammar


class FewReader:
    """Reads a small block whose lines are all records of the table; any other is left to the exact reader."""

    def __init__(self, layout: Layout, grammar: Grammar, nulls: tuple[str, ...]) -> None:
        self._layout = layout
        self._grammar = grammar
        self._has_nulls = bool(nulls)
        header = telling_name(layout)
        self._header = None if header is None else (header[0], header[1].encode("utf-8", "replace"))

    def read(self, buf: bytes, pos: int, stop: int, eof: bool) -> Block | None:
        """The records that start at `pos` and end by `stop`, or None where anything is out of the ordinary."""
        if not (eof and stop == len(buf)):
            stop = buf.rfind(b"\n", pos, stop) + 1
        if stop <= pos or not is_ordinary(buf, pos, stop):
            return None
        data = buf[pos:stop]
        has_returns = b"\r" in data
        if (has_returns and data.count(b"\r") != data.count(b"\r\n")) or not _is_text(data):
            return None
        rows = self._laid_out(data)
        if rows is not None:
            columns = self._arrays(rows)
            ends = np.array([line.end for line in self._layout.below]) + (pos - self._layout.start)
        else:
            lines = data.split(b"\n")
            if not lines[-1]:
                lines.pop()
            ends = pos + np.cumsum([len(line) + 1 for line in lines])
            columns = self._columns([line.removesuffix(b"\r") for line in lines] if has_returns else lines)
        if columns is None:
            return None
        ends[-1] = stop
        starts = np.empty_like(ends)
        starts[0], starts[1:] = pos, ends[:-1]
        return Block(columns, starts, ends, stop)

    def _laid_out(self, data: bytes) -> list[tuple[bytes | None, ...]] | None:
        """The fields of these lines as they were split for the layout; None if it was not of all of them."""
        layout = self._layout
        count = data.count(b"\n") + (not data.endswith(b"\n"))
        if self._has_nulls or len(layout.below) != count or data != layout.rest:
            return None
        rows = [line.fields for line in layout.below if line.fields is not None and line.arity == layout.width]
        return rows if len(rows) == count else None

    def _columns(self, lines: list[bytes]) -> pa.RecordBatch | None:
        layout, grammar = self._layout, self._grammar
        held, widths = grammar.records(lines)
        if widths != [layout.width] * len(lines) or (layout.width == 1 and not all(map(_has_text, lines))):
            return None
        rows = [grammar.fields(each) if isinstance(each, bytes) else each for each in held]
        return self._arrays([row for row in rows if row is not None])

    def _arrays(self, rows: Sequence[Sequence[bytes | None]]) -> pa.RecordBatch | None:
        layout = self._layout
        columns = list(zip(*rows, strict=True))
        if layout.trailing and any(cell is not None for cell in columns.pop()):
            return None
        if self._header is not None and self._header[1] in columns[self._header[0]]:
            return None
        return batch_of(columns, layout.schema)


def _has_text(line: bytes) -> bool:
    return bool(line.strip(b"\r\n\x1a"))


def _is_text(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False
