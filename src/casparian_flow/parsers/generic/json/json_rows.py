"""JSON values as rows: checks each, numbers them and makes columns of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from json_window import MAX_VALUE, SPACE, Window

from casparian_flow.sdk import Rejected, Rows
from casparian_flow.sdk.json_columns import JsonColumns
from casparian_flow.sdk.json_text import is_json_with_huge_numbers
from casparian_flow.sdk.lines import MAX_RAW


class RowMaker:
    """Makes the rows and rejections of one output; the source row counts both."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._columns = JsonColumns()
        self._count = 0

    def pieces(self, window: Window, starts: Any, ends: Any) -> Iterator[Rows | Rejected]:
        """The values between these offsets of the window."""
        texts = [window.data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        lead = np.array([len(text) - len(text.lstrip(SPACE)) for text in texts])
        texts = [text.strip(SPACE) for text in texts]
        starts = np.minimum(starts + lead, ends)
        lengths = np.array([len(text) for text in texts])
        yield from self.made(texts, window.places(starts), window.places(np.minimum(starts + lengths, ends)))

    def made(self, texts: Sequence[bytes], starts: Any, ends: Any) -> Iterator[Rows | Rejected]:
        """These values, which stand at these places in the file."""
        numbers = np.arange(self._count + 1, self._count + len(texts) + 1)
        self._count += len(texts)
        objects: list[str] = []
        index: list[int] = []
        rejected: list[tuple[int, str, str]] = []
        for at, text in enumerate(texts):
            try:
                line = text.decode()
                orjson.loads(text)
            except UnicodeDecodeError:
                rejected.append((at, "cf.json.encoding", "the value cannot be decoded"))
                continue
            except orjson.JSONDecodeError as exc:
                if not is_json_with_huge_numbers(line):
                    rejected.append((at, "cf.json.syntax", f"not JSON: {exc}"))
                    continue
            objects.append(line if line.startswith("{") else f'{{"value":{line}}}')
            index.append(at)
        places = np.array(index, np.int64)
        accepted = np.zeros(len(places), np.bool_)
        for batch, members in self._columns.batches(pa.array(objects, pa.string())):
            accepted[members] = True
            chosen = places[members]
            yield Rows(self._output, batch, source_row=numbers[chosen], start=starts[chosen], end=ends[chosen])
        rejected += [(at, "cf.json.keys", "too many keys, or too long") for at in places[~accepted].tolist()]
        for at, code, message in rejected:
            yield self._rejected(code, message, starts[at], ends[at], texts[at], numbers[at])

    def broken_tail(self, window: Window) -> Iterator[Rejected]:
        """What is left when an array does not end: one rejection, up to the end of the file."""
        window.consume(window.first_text())
        if not window.data:
            return
        self._count += 1
        start, raw = window.places(np.array([0]))[0], window.data
        code, message = "cf.json.truncated", "the file ends inside a value"
        if not window.is_whole:
            code, message = "cf.json.too_long", f"a value is longer than {MAX_VALUE >> 20} MiB"
        yield self._rejected(code, message, start, window.skip_to_end(), raw, self._count)

    def last_element(self, window: Window) -> Iterator[Rows | Rejected]:
        """What is left when an array does not end: an element that ends by itself, or a broken one."""
        text = window.data.rstrip(SPACE)
        if window.is_whole and text.endswith((b"}", b"]", b'"')) and _is_json(text):
            yield from self.pieces(window, np.array([0]), np.array([len(text)]))
            window.consume(len(window.data))
        else:
            yield from self.broken_tail(window)

    def last_value(self, window: Window) -> Iterator[Rows | Rejected]:
        """What is left behind the last array or object: a single value, or a broken one."""
        window.consume(window.first_text())
        text = window.data.rstrip(SPACE)
        if _is_json(text):
            yield from self.pieces(window, np.array([0]), np.array([len(text)]))
        else:
            yield from self.broken_tail(window)

    def _rejected(self, code: str, message: str, start: int, end: int, raw: bytes, number: int) -> Rejected:
        return Rejected(
            self._output,
            code,
            message,
            start=int(start),
            end=int(end),
            raw=raw[:MAX_RAW],
            source_row=int(number),
        )


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
