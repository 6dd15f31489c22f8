"""Error logs of Apache 2.2, Apache 2.4 and nginx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from error_lines import read_errors

from casparian_flow.sdk import Column, Context, PluginMetadata, Rejected, Rows, Verdict
from casparian_flow.sdk.encodings import Encoding, detect_encoding
from casparian_flow.sdk.lines import read_blocks, read_spans
from casparian_flow.sdk.records import read_records, records_apart

MANIFEST = PluginMetadata(
    pattern=["*error.log*", "*error_log*"],
    topic="web_error",
    version="1",
    shares_process=True,
    rereads="spans",
    content=["web_error"],
    requires=["numpy"],
    outputs={
        "web_error": [
            Column("time", "timestamp", description="As written: the server's local time"),
            Column("level", "string"),
            Column("module", "string", description="Apache 2.4: the module that speaks"),
            Column("pid", "int64"),
            Column("tid", "int64"),
            Column("connection", "int64", description="nginx: the number of the connection"),
            Column("client_ip", "string", sensitivity="personal"),
            Column("client_port", "int64"),
            Column("code", "string", description="Apache: the message's code, such as AH00128"),
            Column(
                "system_error", "string", description="Apache: the operating system's error in front of the message"
            ),
            Column(
                "message", "string", description="Everything behind the known fields, with the lines that continue it"
            ),
            Column("server", "string", description="nginx: the server block"),
            Column("request", "string", description="nginx: the request line"),
            Column("upstream", "string", description="nginx: where the request was passed to"),
            Column("host_header", "string", description="nginx: the Host header"),
            Column("referrer", "string"),
            Column("raw", "string", description="The line, where a column cannot hold its time or a number"),
        ]
    },
)


def parse(path: Path, context: Context) -> Iterator[Rows | Rejected | Verdict]:
    """Rows of `web_error`; indented lines continue a message, any other line is rejected as `cf.log.line`."""
    path = Path(path)
    if context.spans is not None:
        encoding = Encoding(context.verdicts["encoding"])
        found = records_apart(read_spans(path, encoding, context.spans))
    else:
        encoding = detect_encoding(path)
        yield encoding.verdict
        found = read_records(read_blocks(path, encoding))
    for records in found:
        yield from read_errors(records)
