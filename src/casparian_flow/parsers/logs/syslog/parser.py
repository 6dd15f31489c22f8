"""Syslog files: RFC 3164, RFC 5424 and lines with ISO times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from syslog_lines import read_lines
from syslog_times import YearRule

from casparian_flow.sdk import Column, Context, PluginMetadata, Rejected, Rows, Verdict
from casparian_flow.sdk.encodings import detect_encoding
from casparian_flow.sdk.lines import read_blocks
from casparian_flow.sdk.records import read_records

MANIFEST = PluginMetadata(
    pattern=["syslog*", "auth.log*", "messages*", "*.syslog"],
    topic="syslog",
    version="1",
    shares_process=True,
    content=["syslog"],
    requires=["numpy"],
    options={"year": None},
    outputs={
        "syslog": [
            Column("time", "timestamp", description="UTC where the line gives a zone, else as it is written"),
            Column("time_zone", "string", description="Offset from UTC as it is written in the line"),
            Column("time_assumed_year", "boolean", nullable=False, description="The line gives no year"),
            Column("hostname", "string"),
            Column("process", "string", description="Tag or application name"),
            Column("pid", "int64"),
            Column("msgid", "string", description="RFC 5424: type of message"),
            Column("facility", "string"),
            Column("severity", "string"),
            Column("structured_data", "json", description="RFC 5424: parameters by element"),
            Column("message", "string", description="The text, with the indented lines that continue it"),
            Column("raw", "string", description="The line, where a column cannot hold a part of it"),
        ]
    },
)


def parse(path: Path, context: Context) -> Iterator[Rows | Rejected | Verdict]:
    """Rows of `syslog`; indented lines continue a message, any other line is rejected as `cf.log.line`.

    Option `year` is the year of times without one; by default the latest year that does not put a time more than
    a day after the file's last change.
    """
    path = Path(path)
    encoding = detect_encoding(path)
    yield encoding.verdict
    year = context.options.get("year")
    rule = YearRule.fixed(int(year)) if year is not None else YearRule.until(path.stat().st_mtime_ns)
    yield Verdict("year", rule.description, confidence=1.0 if year is not None else 0.7)
    for records in read_records(read_blocks(path, encoding)):
        yield from read_lines(records, rule)
