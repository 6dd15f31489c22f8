"""What jobs have read, so that it can be rehearsed again."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from casparian_flow.core.repairs import Repair
from casparian_flow.lab.rehearsal import Retained
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.planning.registered import Registered
from casparian_flow.store import repairs as repair_store
from casparian_flow.store.views import retained as view


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBefore:
    """What one job read and how. `is_retained`: whether its bytes are still there, as far as the last scan saw."""

    job: int
    parser: Registered
    display: str
    bytes: Retained
    is_retained: bool
    options: dict[str, Any] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()
    """Those that hold for these bytes now."""


def read_before(connection: Connection, jobs: Collection[int]) -> list[ReadBefore]:
    """Of these jobs, by their numbers, what each read; the parser is the one that it used."""
    parsers: dict[int, Registered] = {}
    found = []
    rows = view.of_jobs(connection, jobs)
    repairs: dict[int, dict[str, list[Repair]]] = {}
    for row in rows:
        number = row["parser_id"]
        if number not in parsers:
            parsers[number] = load_registered(connection, number)
            hashes = [each["source_hash"] for each in rows if each["parser_id"] == number]
            repairs[number], _ = repair_store.of_files(connection, parsers[number].artifact.name, hashes)
        found.append(
            ReadBefore(
                job=row["job"],
                parser=parsers[number],
                display=row["display"],
                bytes=Retained(
                    path=row["root"].rstrip(b"/") + b"/" + row["rel_path"],
                    size=row["size"],
                    mtime_ns=row["mtime_ns"],
                    source_hash=row["source_hash"],
                    base_table=row["base_table"],
                    version=row["version"],
                ),
                is_retained=bool(row["is_retained"]),
                options=json.loads(row["config"]),
                repairs=tuple(repairs[number].get(row["source_hash"], ())),
            )
        )
    return found
