"""Plain text: one row per line, blank lines included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from casparian_flow.sdk import Column, Context, PluginMetadata, Rejected, Rows, Verdict
from casparian_flow.sdk.encodings import Encoding, detect_encoding
from casparian_flow.sdk.lines import LineBlock, read_blocks, read_spans

MANIFEST = PluginMetadata(
    pattern=["*.txt", "*.log"],
    topic="log_lines",
    version="1",
    shares_process=True,
    rereads="spans",
    content=["text"],
    requires=["numpy"],
    outputs={"log_lines": [Column("line", "string", nullable=False, description="The line without its end")]},
)
OUTPUT = "log_lines"
SCHEMA = pa.schema([pa.field("line", pa.string(), nullable=False)])


def parse(path: Path, context: Context) -> Iterator[Rows | Rejected | Verdict]:
    """Rows of `log_lines`; a line that cannot be decoded, or is longer than 16 MiB, is rejected."""
    path = Path(path)
    if context.spans is not None:
        encoding = Encoding(context.verdicts["encoding"])
        blocks = read_spans(path, encoding, context.spans)
    else:
        encoding = detect_encoding(path)
        yield encoding.verdict
        blocks = read_blocks(path, encoding)
    for block in blocks:
        yield from _read(block, encoding)


def _read(block: LineBlock, encoding: Encoding) -> Iterator[Rows | Rejected]:
    if not block.is_broken.any():
        yield block.rows(OUTPUT, pa.record_batch([block.text], SCHEMA))
        return
    if not block.is_broken.all():
        kept = block.text.filter(pa.array(~block.is_broken))
        yield block.rows(OUTPUT, pa.record_batch([kept], SCHEMA), ~block.is_broken)
    for line in block.is_broken.nonzero()[0].tolist():
        code = "cf.text.too_long" if block.is_cut else "cf.text.encoding"
        yield block.reject(OUTPUT, line, code, f"the line is not {encoding.name} text of at most 16 MiB")
