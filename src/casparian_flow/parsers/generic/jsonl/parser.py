"""JSON Lines: one row per line, one column per top-level key, every value with its exact text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from casparian_flow.sdk import Context, PluginMetadata, Rejected, Rows, Verdict
from casparian_flow.sdk.encodings import HEAD_BYTES, Encoding, detect_unicode
from casparian_flow.sdk.json_columns import JsonColumns
from casparian_flow.sdk.json_text import is_json_with_huge_numbers
from casparian_flow.sdk.lines import LineBlock, read_blocks, read_spans

MANIFEST = PluginMetadata(
    pattern=["*.jsonl", "*.ndjson"],
    version="1",
    content=["jsonl"],
    tables="file",
    requires=["numpy", "orjson"],
    shares_process=True,
    rereads="spans",
)


def parse(path: Path, context: Context) -> Iterator[Rows | Rejected | Verdict]:
    """Rows of output `""`; every line is a row, a rejection or blank."""
    path = Path(path)
    columns = JsonColumns()
    if context.spans is not None:
        for block in read_spans(path, Encoding(context.verdicts["encoding"]), context.spans):
            yield from _read(block, columns)
        return
    with path.open("rb") as file:
        encoding = detect_unicode(file.read(HEAD_BYTES))
    yield encoding.verdict
    for block in read_blocks(path, encoding):
        yield from _read(block, columns)


def _read(block: LineBlock, columns: JsonColumns) -> Iterator[Rows | Rejected]:
    objects: list[str] = []
    lines: list[int] = []
    rejected: list[Rejected] = []
    for at, (line, is_broken) in enumerate(zip(block.text.to_pylist(), block.is_broken.tolist(), strict=True)):
        if is_broken:
            rejected.append(_undecodable(block, at))
            continue
        if not line:
            continue
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError as exc:
            if not line.strip(" \t\r"):
                continue
            if not is_json_with_huge_numbers(line):
                rejected.append(block.reject("", at, "cf.json.syntax", f"not JSON: {exc}"))
                continue
        objects.append(line if line.lstrip(" \t\r").startswith("{") else f'{{"value":{line}}}')
        lines.append(at)
    index = np.array(lines, np.int64)
    accepted = np.zeros(len(lines), np.bool_)
    for batch, members in columns.batches(pa.array(objects, pa.string())):
        accepted[members] = True
        yield block.rows("", batch, index[members])
    for at in index[~accepted].tolist():
        rejected.append(
            block.reject("", at, "cf.json.keys", "more distinct keys than a table has columns, or too long")
        )
    yield from rejected


def _undecodable(block: LineBlock, at: int) -> Rejected:
    if block.is_cut:
        return block.reject("", at, "cf.json.too_long", "the line is longer than 16 MiB")
    return block.reject("", at, "cf.json.encoding", "the line cannot be decoded")
