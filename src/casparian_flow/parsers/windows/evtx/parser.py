"""Windows event logs: every event as a typed row, every lost span as an entry, and the books of the file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evtx_file import EventLog

from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows, Verdict

MANIFEST = PluginMetadata(
    version="1",
    shares_process=True,
    pattern="*.evtx",
    content=["evtx"],
    requires=["evtx", "orjson", "numpy"],
    outputs={
        "evtx_events": [
            Column(
                "time_created", "timestamp_tz(UTC)", description="System/TimeCreated, to 100 ns where the file has it"
            ),
            Column("event_id", "int64"),
            Column("qualifiers", "int64"),
            Column("channel"),
            Column("provider"),
            Column("provider_guid", description="without braces"),
            Column("computer"),
            Column("level", "int64"),
            Column("level_name"),
            Column("task", "int64"),
            Column("opcode", "int64"),
            Column("keywords", description="hexadecimal, as written"),
            Column("version", "int64"),
            Column(
                "record_id", "int64", description="System/EventRecordID; forwarded events keep the one of their origin"
            ),
            Column("user_sid", sensitivity="personal"),
            Column("process_id", "int64"),
            Column("thread_id", "int64"),
            Column("activity_id"),
            Column("related_activity_id"),
            Column("payload_kind", description="the element the payload was in: EventData, UserData ..."),
            Column(
                "payload",
                "json",
                sensitivity="personal",
                description="complete, in order; see README on repeated names",
            ),
            Column("user_name", sensitivity="personal", description="who acted"),
            Column("target_user", sensitivity="personal", description="whom it was done to"),
            Column("logon_type", "int64"),
            Column("remote_ip", sensitivity="personal"),
            Column("remote_host", sensitivity="personal"),
            Column("process_path", sensitivity="personal"),
            Column("command_line", sensitivity="personal"),
            Column("parent_process", sensitivity="personal"),
            Column("service_name"),
            Column("hashes"),
            Column("message", sensitivity="personal", description="the rendered text, where the event carries one"),
            Column("record_state", description="live, unverified (bad checksum) or recovered (around damage)"),
            Column("chunk_no", "int64"),
            Column("record_offset", "int64", description="byte offset of the record header in the file"),
        ],
        "evtx_files": [
            Column("size", "int64"),
            Column("header_ok", "boolean"),
            Column("dirty", "boolean", description="normal for a log that was copied while in use"),
            Column("chunks_declared", "int64"),
            Column("chunks_seen", "int64"),
            Column("chunks_bad", "int64"),
            Column("chunks_unused", "int64", description="slots after the last chunk that hold none"),
            Column("crc_bad", "int64", description="chunks with a checksum that does not match"),
            Column("records_expected", "int64"),
            Column("records_read", "int64"),
            Column("first_id", "int64"),
            Column("last_id", "int64"),
            Column("id_gaps", "int64"),
            Column("first_time", "timestamp_tz(UTC)"),
            Column("last_time", "timestamp_tz(UTC)"),
            Column("verdict"),
        ],
    },
)


def parse(path: Path) -> Iterator[Rows | Rejected | Verdict]:
    """Every chunk is judged before it is read, so that what is lost is known and not only what is left."""
    order = [column.name for column in MANIFEST.outputs["evtx_events"]]
    with path.open("rb") as file:
        yield from EventLog(file).read(order)
