"""What a simulated home holds when its world begins: files, a parser, one table that is known and one that is not."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.builders import NOW_NS, HomeBuilder

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import SinkMode, SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.sentinel.runs import Policy

FILES = 16
KNOWN, NEW = "known", "fresh"
TOLERANCE = 0.5
"""A file whose rows are all rejected may not commit."""
SINKS = ("parquet:///sim/0", "duckdb:///sim/1.duckdb")


@cache
def template() -> tuple[bytes, tuple[dict[str, Any], ...]]:
    """The database file of such a home, and the jobs that may be submitted."""
    with TemporaryDirectory() as folder, HomeBuilder(Path(folder, "home")) as past:
        source = past.source()
        manifest = manifest_text(
            Manifest(name="csv", entry=EntryForm.PARSE, tables="file", outputs={}, options={}, shares_process=True)
        )
        parsers = [past.parser("csv", manifest=manifest), past.parser("tsv", origin="plugin", manifest=manifest)]
        jobs = []
        for at in range(FILES):
            location = past.location(source, f"{at}.csv")
            data = f"file {at}".encode()
            jobs.append(
                {
                    "id": 1000 + at,
                    "location_id": location,
                    "version_id": past.version(location, data),
                    "source_hash": digest_of(data),
                    "parser_id": parsers[at % 4 == 3],
                    "reason": "new",
                    "config": "{}",
                    "config_hash": digest_of(b"{}"),
                    "state": "queued",
                    "attempt": 0,
                    "priority": 10,
                    "queued_at_ns": NOW_NS,
                }
            )
        with past.database.transaction() as connection:
            contract = Contract(KNOWN, 1, (ContractColumn("n", "int64"),))
            adopt(connection, contract, Rule.ADOPT, "somebody", NOW_NS)
        past.close()
        return Path(folder, "home", "state.sqlite3").read_bytes(), tuple(jobs)


def a_run(
    chance: random.Random, jobs: list[dict[str, Any]], plan: int, replaces: float
) -> tuple[Policy, list[dict[str, Any]], int]:
    """A run of some jobs that appends or replaces, its rows for the store, and into how many sinks it goes."""
    sinks = SINKS[: chance.choice((1, 1, 2))]
    mode = SinkMode.REPLACE if chance.random() < replaces else SinkMode.APPEND
    routes = Routes(default=tuple(SinkTarget(uri, mode) for uri in sinks)).to_json()
    tables = {job["id"]: NEW if chance.random() < 0.25 else KNOWN for job in jobs}
    rows = [{**job, "plan_id": plan, "routes": routes, "base_table": tables[job["id"]]} for job in jobs]
    return Policy(holds_first_contracts=chance.random() < 0.1, tolerance=TOLERANCE), rows, len(sinks)
