"""A home with queued jobs that no file stands behind, and workers that only talk."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import msgspec
from sqlalchemy import insert

from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import Role, SealedFile, SealedOutput, SinkTarget
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import (
    Body,
    Conclude,
    Dispatch,
    Heartbeat,
    Identify,
    JobReceipt,
    Parse,
    Permit,
    Seal,
    Sealed,
)
from casparian_flow.protocol.codec import Message, encode, from_sentinel
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.protocol.transport import Router
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.sentinel.core import SentinelCore
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.loop import Loop
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.sentinel.runs import Policy
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store import jobs as job_store
from casparian_flow.store import meta, runs, tables
from casparian_flow.store.database import Database

PLAN = 1
TABLE = "flows"
SINK = "parquet:///nowhere"
_FIRST_JOB = 3_700_000_000_000_000_000
_DIGEST = digest_of(b"rows")


def queue_jobs(path: Path, count: int, *, file_size: int = job_store.LARGEST_GROUPED + 1) -> Database:
    """A new control database with one submitted run of so many jobs, each for a file of its own.

    Only small files are ordered together.
    """
    database = Database(path)
    now_ns = time.time_ns()
    with database.transaction() as connection:
        contract = Contract(TABLE, 1, (ContractColumn("n", "int64"),), origin=Origin.DECLARED)
        adopt(connection, contract, Rule.DECLARED, "benchmark", now_ns)
        parser = connection.execute(
            insert(tables.parsers).returning(tables.parsers.c.id),
            {
                "name": "flows",
                "version": "1.0.0",
                "artifact_hash": digest_of(b"parser"),
                "env_hash": digest_of(b"environment"),
                "path": "/parsers/flows.py",
                "origin": "plugin",
                "status": "active",
                "manifest": manifest_text(Manifest(name="flows", entry=EntryForm.PARSE, tables="file")),
                "registered_at_ns": now_ns,
            },
        ).scalar_one()
        source = connection.execute(
            insert(tables.sources).returning(tables.sources.c.id),
            {"root": b"/evidence", "only": b"", "display": "/evidence", "added_at_ns": now_ns},
        ).scalar_one()
        files = [digest_of(str(number).encode()) for number in range(1, count + 1)]
        connection.execute(
            insert(tables.hashes),
            [{"source_hash": each, "size": file_size, "first_seen_at_ns": now_ns} for each in files],
        )
        connection.execute(
            insert(tables.locations),
            [
                {
                    "id": number,
                    "source_id": source,
                    "rel_path": f"{number}.csv".encode(),
                    "display": f"{number}.csv",
                    "kind": "file",
                    "size": file_size,
                    "mtime_ns": now_ns,
                    "ctime_ns": now_ns,
                    "inode": number,
                    "is_dirty": False,
                    "last_scan_id": 1,
                }
                for number in range(1, count + 1)
            ],
        )
        connection.execute(
            insert(tables.versions),
            [
                {
                    "id": number,
                    "location_id": number,
                    "source_hash": each,
                    "size": file_size,
                    "mtime_ns": now_ns,
                    "content": "delimited",
                    "content_reason": "two fields on every line",
                    "detected_at_ns": now_ns,
                }
                for number, each in enumerate(files, 1)
            ],
        )
        jobs = [
            {
                "id": _FIRST_JOB + number,
                "plan_id": PLAN,
                "location_id": number,
                "version_id": number,
                "source_hash": each,
                "parser_id": parser,
                "reason": "new",
                "config": "{}",
                "config_hash": digest_of(b"{}"),
                "routes": Routes(default=(SinkTarget(SINK),)).to_json(),
                "base_table": TABLE,
                "state": "queued",
                "attempt": 0,
                "priority": 50,
                "queued_at_ns": now_ns,
            }
            for number, each in enumerate(files, 1)
        ]
        runs.submit(connection, PLAN, msgspec.json.encode(Policy()).decode(), "benchmark", jobs, now_ns)
        database.incarnation = meta.next_incarnation(connection)
    return database


def open_loop(database: Database, router: Router) -> Loop:
    """A sentinel over that database, which has taken its run up."""
    incarnation = database.incarnation
    assert incarnation is not None
    loop = Loop(
        database,
        router,
        lambda notify: SentinelCore(
            database,
            incarnation=incarnation,
            session=secrets.token_hex(16),
            notify=notify,
            key=PseudonymKey(Path("pseudonym.key")),
        ),
        open_sink,
        time.time_ns,
    )
    loop.call(lambda core, now: core.submit(PLAN, now))
    return loop


class Talker:
    """A worker that seals whatever it is ordered at once and together, and says that it is visible when it may be."""

    def __init__(self, name: str, slots: int) -> None:
        self.peer = name.encode()
        self.done = 0
        self._name = name
        self._slots = slots
        self._free = slots
        self._session = secrets.token_hex(16)
        self._seq = 0
        self._seen = 0
        self._groups: dict[int, int] = {}

    def join(self) -> list[bytes]:
        """Its first words."""
        who = Identify(
            worker=self._name, host="here", pid=1, product="benchmark", slots=self._slots, isolation="process"
        )
        return [self._say(Opcode.IDENTIFY, who), self._beat()]

    def answer(self, data: bytes) -> list[bytes]:
        """What it says to what the sentinel said."""
        message = from_sentinel(data)
        self._seen = message.seq
        match message.body:
            case Dispatch(order=Parse() as order):
                self._free -= 1
                leader = order.jobs[0].job
                self._groups[leader] = len(order.jobs)
                group = [
                    JobReceipt(job=job.job, attempt=job.attempt, receipt=a_receipt(job.job, leader))
                    for job in order.jobs
                ]
                return [self._say(Opcode.SEALED, Seal(outcome=Sealed(jobs=group)), message)]
            case Permit():
                self._free += 1
                self.done += self._groups[message.job]
                return [self._say(Opcode.CONCLUDE, Conclude(), message), self._beat()]
            case _:
                return []

    def _beat(self) -> bytes:
        return self._say(Opcode.HEARTBEAT, Heartbeat(free=self._free, seen=self._seen, progress=[], printed=[]))

    def _say(self, opcode: Opcode, body: Body, about: Message | None = None) -> bytes:
        self._seq += 1
        job, attempt = (about.job, about.attempt) if about else (0, 0)
        message = Message(opcode=opcode, session=self._session, seq=self._seq, job=job, attempt=attempt, body=body)
        return encode(message)


def a_receipt(job: int, leader: int) -> Receipt:
    """What a small file leaves: one table, its rows in the file of its group."""
    file = SealedFile(name=f"v1/{TABLE}_{leader}.1.0.parquet", rows=24, size=3000, digest=_DIGEST)
    output = SealedOutput(
        sink=SINK,
        table=TABLE,
        role=Role.ACCEPTED,
        contract_version=1,
        schema_hash=_DIGEST,
        rows=24,
        row_digest=_DIGEST,
        files=(file,),
    )
    counts = OutputCounts(table=TABLE, emitted=24, accepted=24, quarantined=0)
    return Receipt(counts=(counts,), outputs=(output,), isolation="process", seconds=0.1, bytes_read=3000)
