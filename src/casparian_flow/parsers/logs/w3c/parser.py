"""Logs in the W3C extended format, whose `#Fields` line names the columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from w3c_fields import Fields, read_directives
from w3c_lines import read_lines

from casparian_flow.sdk import PluginMetadata, Rejected, Rows, Verdict
from casparian_flow.sdk.encodings import detect_encoding
from casparian_flow.sdk.lines import read_blocks

MANIFEST = PluginMetadata(
    pattern=["u_ex*.log", "*pfirewall*.log"],
    version="1",
    shares_process=True,
    content=["w3c"],
    tables="file",
    requires=["numpy"],
)


def parse(path: Path) -> Iterator[Rows | Rejected | Verdict]:
    """Rows of the file's table with the columns of all its `#Fields` lines; a `-` is null.

    A line that has not as many fields as the `#Fields` line above it names is rejected as `cf.log.line`.
    """
    path = Path(path)
    encoding = detect_encoding(path)
    yield encoding.verdict
    directives = read_directives(read_blocks(path, encoding))
    for name, value in directives.said.items():
        yield Verdict(name, value)
    columns = directives.columns()
    current: Fields | None = None
    for block in read_blocks(path, encoding):
        current = yield from read_lines(block, columns, current)
