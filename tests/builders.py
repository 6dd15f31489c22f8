"""Homes with a past, built row by row, for tests that ask about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Table, insert

from casparian_flow.clients.control import Control
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.keys import config_hash
from casparian_flow.core.outputs import SinkTarget
from casparian_flow.core.quarantine import group_reference
from casparian_flow.core.routes import Routes
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.settings import Home, Settings
from casparian_flow.store import causes, tables
from casparian_flow.store.database import Database

NOW_NS = 1_772_445_600_000_000_000
"""2026-03-02T10:00:00Z"""
SINK = "parquet:///out"
ROUTES = Routes(default=(SinkTarget(SINK),))
HOSTILE = "a\x1b[31m\u202ec\x00\n\t[bold]=cmd().csv"
"""A file name that tries to colour, reverse, end the string and become a formula."""


def open_control(home: Home, settings: Settings, cwd: Path) -> Control:
    """A door that reads like the product's, and acts on nothing but the database."""
    return Control(partial(open_reading, home, settings, cwd), lambda _report: _acting(home, cwd))


@dataclass(frozen=True)
class StoreActing:
    """As much of `Acting` as an operation needs that only changes rows of the store."""

    database: Database
    cwd: Path
    home: Home = field(default_factory=lambda: Home(Path("/home")))
    clock: Callable[[], int] = lambda: NOW_NS
    execution: Any = None
    actor: str = "examiner"


@contextmanager
def _acting(home: Home, cwd: Path) -> Iterator[StoreActing]:
    database = Database(home.state)
    try:
        yield StoreActing(database, cwd, home)
    finally:
        database.close()


@cache
def _new_database() -> bytes:
    """The file of a database in which nothing has happened; migrating each anew would take most of a test."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "state.sqlite3")
        Database(path).close()
        return path.read_bytes()


class HomeBuilder:
    """Fills the control database of one home; every method inserts one row and returns its id."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home = Home(folder)
        if not self.home.state.exists():
            self.home.state.write_bytes(_new_database())
        self.database = Database(self.home.state)
        self._ids = count(1)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> HomeBuilder:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def source(self, root: bytes = b"/evidence") -> int:
        return self._add(tables.sources, root=root, only=b"", display=root.decode(), added_at_ns=NOW_NS)

    def location(self, source: int, path: str | bytes = "a.csv", **changes: Any) -> int:
        raw = path if isinstance(path, bytes) else path.encode()
        values: dict[str, Any] = {
            "source_id": source,
            "rel_path": raw,
            "display": raw.decode("utf-8", "backslashreplace"),
            "kind": "file",
            "size": 1500,
            "mtime_ns": NOW_NS,
            "ctime_ns": NOW_NS,
            "inode": 1,
            "is_dirty": True,
            "last_scan_id": 1,
        }
        return self._add(tables.locations, **(values | changes))

    def version(self, location: int, data: bytes = b"a,b\n1,2\n", content: str = "delimited") -> int:
        source_hash = digest_of(data)
        with self.database.transaction() as connection:
            connection.execute(
                insert(tables.hashes).prefix_with("OR IGNORE"),
                {"source_hash": source_hash, "size": len(data), "first_seen_at_ns": NOW_NS},
            )
        version = self._add(
            tables.versions,
            location_id=location,
            source_hash=source_hash,
            size=len(data),
            mtime_ns=NOW_NS,
            content=content,
            content_reason="two fields on every line",
            detected_at_ns=NOW_NS,
        )
        with self.database.transaction() as connection:
            connection.execute(
                tables.locations.update()
                .where(tables.locations.c.id == location)
                .values(current_version_id=version, is_dirty=False)
            )
        return version

    def parser(self, name: str = "csv", status: str = "active", **changes: Any) -> int:
        values = {
            "name": name,
            "version": "1.0.0",
            "artifact_hash": digest_of(name.encode()),
            "env_hash": digest_of(b"env"),
            "path": f"/parsers/{name}",
            "origin": "shipped",
            "status": status,
            "manifest": manifest_text(Manifest(name=name, entry=EntryForm.PARSE, content=("delimited",))),
            "registered_at_ns": NOW_NS,
        }
        return self._add(tables.parsers, **(values | changes))

    def job(self, location: int, version: int, parser: int, state: str = "completed", **changes: Any) -> int:
        row = self.database.connection.execute(tables.versions.select().where(tables.versions.c.id == version)).one()
        self.database.connection.commit()
        values = {
            "id": 3_700_000_000_000_000_000 + next(self._ids),
            "plan_id": 1,
            "location_id": location,
            "version_id": version,
            "source_hash": row.source_hash,
            "parser_id": parser,
            "reason": "new",
            "config": "{}",
            "config_hash": config_hash({}, None),
            "routes": ROUTES.to_json(),
            "base_table": "a",
            "state": state,
            "attempt": 1,
            "priority": 10,
            "queued_at_ns": NOW_NS,
        }
        return self._add(tables.jobs, **(values | changes))

    def rows(self, job: int, table: str = "sales", accepted: int = 10, quarantined: int = 0, **changes: Any) -> int:
        row = self.database.connection.execute(tables.jobs.select().where(tables.jobs.c.id == job)).one()
        self.database.connection.commit()
        values = {
            "key": digest_of(f"{job}{table}".encode()),
            "job_id": job,
            "target_key": digest_of(table.encode()),
            "source_hash": row.source_hash,
            "parser_name": "csv",
            "artifact_hash": digest_of(b"csv"),
            "env_hash": digest_of(b"env"),
            "config_hash": row.config_hash,
            "sink_uri": SINK,
            "sink_mode": "append",
            "table_name": table,
            "contract_hash": digest_of(b"contract"),
            "contract_version": 1,
            "accepted": accepted,
            "quarantined": quarantined,
            "row_digest": digest_of(b"rows"),
            "is_current": True,
            "recorded_at_ns": NOW_NS,
        }
        return self._add(tables.materializations, **(values | changes))

    def quarantine(self, job: int, rows: int = 2, **changes: Any) -> int:
        values = {
            "job_id": job,
            "table_name": "sales",
            "code": "cf.cast",
            "column_name": "amount",
            "shape": "A/A",
            "rows": rows,
            "message": "not an int64",
            "sample": "n/a",
            "state": "open",
            "is_current": True,
        }
        values |= changes
        cause = {name: str(values[name]) for name in ("table_name", "code", "column_name", "shape")}
        values = {"reference": group_reference("csv", *cause.values())} | values
        named = {"reference": values["reference"], "parser_name": "csv", "changed_at_ns": NOW_NS}
        with self.database.transaction() as connection:
            causes.touch(connection, [cause | named])
        return self._add(tables.quarantine, **values)

    def decision(self, location: int, action: str, reason: str, detail: str = "", **changes: Any) -> None:
        values = {"plan_id": 1, "location_id": location, "action": action, "reason": reason, "detail": detail}
        with self.database.transaction() as connection:
            connection.execute(insert(tables.decisions), values | changes)

    def commit(self, sink: str = SINK, table: str = "sales", seq: int = 1, **changes: Any) -> int:
        """A log entry that was permitted and not recorded."""
        values = {
            "sink_uri": sink,
            "table_name": table,
            "role": "accepted",
            "seq": seq,
            "body": b"{}",
            "permitted_at_ns": NOW_NS,
            "is_recorded": False,
        }
        return self._add(tables.commits, **(values | changes))

    def rule(self, pattern: str = "*.csv", tag: str = "sales", priority: int = 50) -> int:
        return self._add(tables.rules, pattern=pattern, tag=tag, priority=priority, added_at_ns=NOW_NS)

    def tag(self, location: int, tag: str, rule: int | None = None) -> None:
        with self.database.transaction() as connection:
            connection.execute(insert(tables.tags), {"location_id": location, "tag": tag, "rule_id": rule})

    def log(self, job: int, line: int, text: str, stream: str = "stderr") -> None:
        with self.database.transaction() as connection:
            connection.execute(
                insert(tables.job_logs), {"job_id": job, "attempt": 1, "line": line, "stream": stream, "text": text}
            )

    def contract(self, table: str = "sales", version: int = 1, state: str = "applied", **changes: Any) -> int:
        columns = (
            ContractColumn("id", "int64", nullable=False),
            ContractColumn("amount", "decimal(9,2)", note="1 gap"),
        )
        contract = Contract(table, version, columns)
        values = {
            "table_name": table,
            "version": version,
            "state": state,
            "origin": "adopted",
            "hash": contract.hash,
            "digest": digest_of(b"digest"),
            "body": json.dumps(
                {
                    "table": table,
                    "version": version,
                    "columns": [
                        {"name": c.name, "type": c.type, "nullable": c.nullable, "note": c.note} for c in columns
                    ],
                }
            ),
            "evidence": "{}",
            "proposed_at_ns": NOW_NS,
            "proposed_by": "first contact",
        }
        return self._add(tables.contracts, **(values | changes))

    def _add(self, table: Table, **values: Any) -> int:
        with self.database.transaction() as connection:
            key = connection.execute(insert(table), values).inserted_primary_key
        assert key is not None
        return int(key[0])


def eventful_home(folder: Path) -> Home:
    """A home in which most things have happened once; every state of a file occurs."""
    with HomeBuilder(folder) as past:
        evidence, csv = past.source(), past.parser()
        past.location(evidence, "new.csv")
        done = past.location(evidence, "done.csv")
        version = past.version(done)
        job = past.job(done, version, csv, started_at_ns=NOW_NS, finished_at_ns=NOW_NS)
        past.rows(job)
        past.log(job, 0, "read 10 rows")
        past.decision(done, "run", "new", "never read before", version_id=version, parser="csv")
        again = past.location(evidence, "again.csv")
        past.decision(again, "skip", "same_bytes", "as done.csv", version_id=past.version(again))
        partly = past.location(evidence, "partly.csv")
        job = past.job(partly, past.version(partly, b"partly"), csv)
        past.rows(job, accepted=7, quarantined=2)
        past.quarantine(job)
        failed = past.location(evidence, "failed.csv")
        version = past.version(failed, b"failed")
        past.job(failed, version, csv, "failed", error_code="parser-raised", error_message="ValueError: \x1b[2Jboom")
        past.decision(failed, "skip", "gave_up", "failed twice", version_id=version)
        past.location(evidence, HOSTILE, is_missing=True)
        past.location(evidence, "queue", kind="fifo")
        past.location(evidence, b"caf\xe9.csv")
        database = past.location(evidence, "history.db")
        past.location(evidence, "history.db-wal", part_of=database)
        changed = past.location(evidence, "changed.csv")
        past.job(changed, past.version(changed, b"before"), csv)
        past.database.driver.execute(
            "UPDATE scout_locations SET is_dirty = 1, mtime_ns = mtime_ns + 1 WHERE id = ?", (changed,)
        )
        running = past.location(evidence, "running.csv")
        past.job(running, past.version(running, b"running"), csv, "running")
        unknown = past.location(evidence, "日本語.bin")
        past.decision(unknown, "skip", "no_parser", "unknown content", version_id=past.version(unknown, b"?"))
        past.contract()
        past.tag(done, "sales", past.rule())
        past.tag(partly, "odd")
        return past.home
