"""evtx, orjson, twenty typed columns and pyarrow in two bare processes: LOGS TARGET."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from evtx import PyEvtxParser

ROWS = 16_384
TEXTS = (
    "channel",
    "computer",
    "provider",
    "provider_guid",
    "keywords",
    "user_sid",
    "activity_id",
    "related_activity_id",
)
NUMBERS = ("record_id", "event_id", "qualifiers", "version", "level", "task", "opcode", "process_id", "thread_id")
SCHEMA = pa.schema(
    [("time_created", pa.timestamp("us", "UTC")), *((name, pa.int64()) for name in NUMBERS)]
    + [(name, pa.string()) for name in (*TEXTS, "payload_kind", "payload", "file")]
)


def rows(path: str) -> Iterator[tuple[Any, ...]]:
    for record in PyEvtxParser(path, number_of_threads=1).records_json():
        event = orjson.loads(record["data"])["Event"]
        system = event["System"]
        event_id, provider = system["EventID"], _attributes(system, "Provider")
        execution, correlation = _attributes(system, "Execution"), _attributes(system, "Correlation")
        is_plain = isinstance(event_id, int)
        kind = "EventData" if "EventData" in event else "UserData"
        yield (
            datetime.fromisoformat(_attributes(system, "TimeCreated")["SystemTime"]),
            system.get("EventRecordID"),
            event_id if is_plain else event_id["#text"],
            None if is_plain else event_id["#attributes"].get("Qualifiers"),
            system.get("Version"),
            system.get("Level"),
            system.get("Task"),
            system.get("Opcode"),
            execution.get("ProcessID"),
            execution.get("ThreadID"),
            system.get("Channel"),
            system.get("Computer"),
            provider.get("Name"),
            provider.get("Guid"),
            system.get("Keywords"),
            _attributes(system, "Security").get("UserID"),
            correlation.get("ActivityID"),
            correlation.get("RelatedActivityID"),
            kind,
            orjson.dumps(event.get(kind)).decode(),
            path,
        )


def _attributes(system: dict[str, Any], name: str) -> dict[str, Any]:
    return (system.get(name) or {}).get("#attributes") or {}


def convert(job: tuple[list[str], str]) -> int:
    paths, target = job
    total = 0
    waiting: list[tuple[Any, ...]] = []
    with pq.ParquetWriter(target, SCHEMA) as writer:

        def flush() -> None:
            columns = zip(*waiting, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
            writer.write_table(pa.table(arrays, schema=SCHEMA))
            waiting.clear()

        for path in paths:
            for row in rows(path):
                waiting.append(row)
                total += 1
                if len(waiting) == ROWS:
                    flush()
        if waiting:
            flush()
    return total


def main() -> None:
    logs, target = sys.argv[1:]
    Path(target).mkdir()
    paths = sorted(map(str, Path(logs).glob("*.evtx")))
    with Pool(2) as pool:
        print(sum(pool.map(convert, [(paths[at::2], f"{target}/{at}.parquet") for at in (0, 1)])))


if __name__ == "__main__":
    main()
