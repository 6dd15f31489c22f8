"""JSON documents: one row per element of an array of records, else one row per document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from json_documents import read_documents
from json_window import Window

from casparian_flow.sdk import Context, PluginMetadata, Rejected, Rows, Verdict
from casparian_flow.sdk.encodings import HEAD_BYTES, detect_unicode

MANIFEST = PluginMetadata(
    pattern=["*.json"], version="1", content=["json"], tables="file", requires=["numpy", "orjson"], shares_process=True
)


def parse(path: Path, context: Context) -> Iterator[Rows | Rejected | Verdict]:
    """Rows of output `""`, and of `document` for what stands around an array of records."""
    with Path(path).open("rb") as file:
        encoding = detect_unicode(file.read(HEAD_BYTES))
        yield encoding.verdict
        file.seek(encoding.mark)
        yield from read_documents(Window(file, encoding))
