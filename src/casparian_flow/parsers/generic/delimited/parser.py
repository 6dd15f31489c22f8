"""Delimited text: tables out of CSV, TSV and their relatives, whatever state they are in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from delimited_file import read_file

from casparian_flow.sdk import Context, PluginMetadata, Rejected, Rows, Verdict

MANIFEST = PluginMetadata(
    version="1",
    shares_process=True,
    pattern=["*.csv", "*.tsv", "*.psv", "*.tab"],
    content=["delimited"],
    tables="file",
    requires=["numpy"],
    options={
        "encoding": None,
        "newline": None,
        "delimiter": None,
        "quote": None,
        "escape": None,
        "header": None,
        "skip": None,
        "resync": None,
        "null": None,
    },
)


def parse(path: Path, context: Context) -> Iterator[Rows | Rejected | Verdict]:
    """Every table of the file as text columns; every byte is accepted, rejected or accounted for."""
    yield from read_file(Path(path), context.options)
