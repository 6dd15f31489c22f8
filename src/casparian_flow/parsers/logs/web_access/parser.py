"""Access logs of Apache, nginx and their relatives: the common and the combined format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from access_lines import OUTPUT, read_access

from casparian_flow.sdk import Column, Context, PluginMetadata, Rejected, Rows, Verdict
from casparian_flow.sdk.encodings import Encoding, detect_encoding
from casparian_flow.sdk.lines import read_blocks, read_spans
from casparian_flow.sdk.records import read_records, records_apart

MANIFEST = PluginMetadata(
    pattern=["*access.log*", "*access_log*"],
    topic="web_access",
    version="1",
    shares_process=True,
    rereads="spans",
    content=["web_access"],
    requires=["numpy"],
    outputs={
        "web_access": [
            Column("time", "timestamp_tz(UTC)", description="When the request was received"),
            Column("time_zone", "string", description="Offset from UTC as it is written in the line"),
            Column("client_ip", "string", sensitivity="personal", description="Address or name of the client"),
            Column("ident", "string", description="Identity from identd, hardly ever there"),
            Column("user", "string", sensitivity="personal", description="User of HTTP authentication"),
            Column("method", "string"),
            Column("path", "string", description="Request target before the first ?"),
            Column("query", "string", description="Request target after the first ?"),
            Column("protocol", "string"),
            Column("status", "int64"),
            Column("bytes", "int64", description="Size of the reply; null where the line says -"),
            Column("referrer", "string"),
            Column("user_agent", "string"),
            Column("host_header", "string", description="Virtual host in front of the line"),
            Column(
                "duration_ms", "float64", description="From a number with decimals behind the known fields: seconds"
            ),
            Column("extra", "string", description="What stands behind the known fields"),
            Column("raw", "string", description="The line, where a column cannot hold its request or time"),
        ]
    },
)


def parse(path: Path, context: Context) -> Iterator[Rows | Rejected | Verdict]:
    """Rows of `web_access`; a line in another format is rejected as `cf.log.line`."""
    path = Path(path)
    if context.spans is not None:
        encoding = Encoding(context.verdicts["encoding"])
        found = records_apart(read_spans(path, encoding, context.spans))
    else:
        encoding = detect_encoding(path)
        yield encoding.verdict
        found = read_records(read_blocks(path, encoding))
    for records in found:
        yield from read_access(records, OUTPUT)
