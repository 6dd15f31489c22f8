"""A sentinel's core over a real store, and workers that say to it what a test tells them, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select

from builders import NOW_NS, ROUTES, SINK, HomeBuilder
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.errors import CasparianError
from casparian_flow.core.jobs import JobPhase
from casparian_flow.core.outputs import Role, SealedFile, SealedOutput, SinkMode, SinkTarget
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import (
    Body,
    Dispatch,
    Heartbeat,
    Holding,
    Identify,
    JobReceipt,
    JobSurvey,
    Parse,
    Progress,
    Seal,
    Sealed,
    Surveyed,
)
from casparian_flow.protocol.codec import Message, encode, from_sentinel
from casparian_flow.protocol.messages import JobOrder, OutputSurvey
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.publish.manifest import Manifest
from casparian_flow.publish.syntax import EntryForm
from casparian_flow.schema.survey import Survey
from casparian_flow.sentinel.actions import Action, Discard, Done, Promote, Sweep
from casparian_flow.sentinel.core import SentinelCore
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.sentinel.planning.catalog import manifest_text
from casparian_flow.sentinel.runs import Policy
from casparian_flow.store import meta, tables
from casparian_flow.store import runs as run_store

SECOND = 1_000_000_000
MANIFEST = manifest_text(Manifest(name="csv", entry=EntryForm.PARSE, tables="file", shares_process=True))
REPLACING = Routes(default=(SinkTarget(SINK, SinkMode.REPLACE),))
B = TypeVar("B", bound=Body)


@dataclass
class SentinelHome:
    """One home, its sentinel, and what left it. The clock only moves when a test says so."""

    past: HomeBuilder
    now_ns: int = NOW_NS
    events: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    promoted: list[Promote] = field(default_factory=list)
    discarded: list[Discard] = field(default_factory=list)
    swept: list[Sweep] = field(default_factory=list)
    refuses: CasparianError | None = None
    """What the sinks say to whoever promotes."""
    holds_actions: bool = False
    _inboxes: dict[bytes, list[Message]] = field(default_factory=dict)
    _plans: Iterator[int] = field(default_factory=lambda: count(1))
    _boots: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.actions: list[Action] = []
        self.start()

    def start(self) -> None:
        """A new sentinel takes the home over; what the one before had in memory is gone."""
        with self.past.database.transaction() as connection:
            number = meta.next_incarnation(connection)
        self.incarnation = self.past.database.incarnation = number
        self.core = SentinelCore(
            self.past.database,
            incarnation=number,
            session=f"sentinel-{number}",
            notify=lambda event, values: self.events.append((event, values)),
            key=PseudonymKey(self.past.home.pseudonym_key),
        )
        self.core.take_up(self.now_ns)

    def submit(
        self,
        jobs: int = 1,
        *,
        parser: int | None = None,
        policy: Policy | None = None,
        routes: Routes = ROUTES,
        **changes: Any,
    ) -> list[int]:
        """A run with so many files of one shipped parser; their jobs. `plan` is the last one submitted."""
        self.plan = next(self._plans)
        self.parser = parser if parser is not None else self.add_parser(f"csv{self.plan}")
        source = self.past.source(f"/evidence{self.plan}".encode())
        ids = []
        for number in range(jobs):
            location = self.past.location(source, f"a{number}.csv")
            version = self.past.version(location, f"{self.plan} {number}".encode())
            values = {"plan_id": self.plan, "attempt": 0, "routes": routes.to_json()} | changes
            ids.append(self.past.job(location, version, self.parser, "queued", **values))
        with self.past.database.transaction() as connection:
            text = msgspec.json.encode(policy or Policy()).decode()
            run_store.submit(connection, self.plan, text, "ann", [], self.now_ns)
        self.core.submit(self.plan, self.now_ns)
        self.step()
        return ids

    def add_parser(self, name: str, **changes: Any) -> int:
        return self.past.parser(name, manifest=MANIFEST, **changes)

    def worker(self, name: str = "w", *, slots: int = 1, **changes: Any) -> ScriptedWorker:
        """A worker that has identified itself and said that its slots are free."""
        worker = ScriptedWorker(self, name, f"boot-{next(self._boots)}", slots)
        worker.identify(**changes)
        worker.beat()
        return worker

    def step(self, seconds: float = 0.0) -> None:
        """Let time pass, then do what is due: messages reach their peers, sinks do what they are told."""
        self.now_ns += int(seconds * SECOND)
        for _ in range(100):
            with self.past.database.together():
                self.core.look(self.now_ns)
                self.core.tick(self.now_ns)
            for peer, data in self.core.take_outgoing():
                self._inboxes.setdefault(peer, []).append(from_sentinel(data))
            self.actions += self.core.take_actions()
            if self.holds_actions or not self.actions:
                return
            for action in self.actions:
                self._carry_out(action)
            self.actions.clear()
        raise AssertionError("the sentinel never comes to rest")

    def receive(self, peer: bytes, data: bytes) -> None:
        with self.past.database.together():
            self.core.look(self.now_ns)
            self.core.receive(peer, data, self.now_ns)
        self.step()

    def taken(self, peer: bytes) -> list[Message]:
        """What the peer was sent since the last time."""
        return self._inboxes.pop(peer, [])

    def job(self, job: int) -> Any:
        """The row of a job."""
        with self.past.database.transaction() as connection:
            return connection.execute(select(tables.jobs).where(tables.jobs.c.id == job)).one()

    def state(self, job: int) -> str:
        return str(self.job(job).state)

    def told(self, event: str) -> list[dict[str, object]]:
        """The values of every event of that name."""
        return [values for name, values in self.events if name == event]

    def _carry_out(self, action: Action) -> None:
        if isinstance(action, Promote):
            self.promoted.append(action)
        elif isinstance(action, Discard):
            self.discarded.append(action)
        else:
            self.swept.append(action)
        troubles = {SINK: self.refuses} if self.refuses is not None else {}
        with self.past.database.together():
            self.core.done(Done(action=action, troubles=troubles), self.now_ns)


class ScriptedWorker:
    """One boot of a worker. `orders` are the jobs it was given, by id."""

    def __init__(self, home: SentinelHome, name: str, boot: str, slots: int) -> None:
        self.home = home
        self.name = name
        self.boot = boot
        self.peer = boot.encode()
        self.slots = slots
        self.seq = 0
        self.seen = 0
        self.orders: dict[int, JobOrder] = {}
        self.heard: list[Message] = []

    def say(self, opcode: Opcode, body: Body, job: int = 0, attempt: int = 0, *, seq: int | None = None) -> list[Body]:
        """Send one message; what came back by then."""
        self.seq += 1
        message = Message(
            opcode=opcode,
            session=self.boot,
            seq=self.seq if seq is None else seq,
            job=job,
            attempt=attempt,
            body=body,
        )
        self.home.receive(self.peer, encode(message))
        return self.take()

    def take(self) -> list[Body]:
        """What the sentinel sent meanwhile."""
        messages = self.home.taken(self.peer)
        self.heard += messages
        for message in messages:
            self.seen = max(self.seen, message.seq)
            if isinstance(message.body, Dispatch) and isinstance(message.body.order, Parse):
                self.orders |= {job.job: job for job in message.body.order.jobs}
        return [message.body for message in messages]

    def lose(self) -> None:
        """What the sentinel sent meanwhile never arrives."""
        self.seen = max([self.seen, *(message.seq for message in self.home.taken(self.peer))])

    def identify(self, holding: Sequence[Holding] = (), **changes: Any) -> list[Body]:
        who: dict[str, Any] = {
            "worker": self.name,
            "host": "here",
            "pid": 7,
            "product": "test",
            "slots": self.slots,
            "isolation": "process",
        }
        return self.say(Opcode.IDENTIFY, Identify(**who | changes, holding=list(holding)))

    def beat(self, *progress: Progress, free: int | None = None, **changes: Any) -> list[Body]:
        """A heartbeat; every slot is free unless it says otherwise."""
        free = self.slots if free is None else free
        return self.say(Opcode.HEARTBEAT, Heartbeat(free=free, seen=self.seen, progress=list(progress), **changes))

    def at_work(self, *jobs: int, phase: JobPhase = JobPhase.PARSING) -> list[Body]:
        """A heartbeat of a worker that is at these jobs."""
        return self.beat(*(self.progress(job, phase) for job in jobs), free=0)

    def progress(self, job: int, phase: JobPhase = JobPhase.PARSING, **changes: Any) -> Progress:
        return Progress(job=job, attempt=self.orders[job].attempt, phase=phase, **changes)

    def about(self, opcode: Opcode, body: Body, job: int, attempt: int | None = None) -> list[Body]:
        """A message about an attempt: the one that it was given."""
        return self.say(opcode, body, job, self.orders[job].attempt if attempt is None else attempt)

    def seal(self, job: int, attempt: int | None = None, **changes: Any) -> list[Body]:
        attempt = self.orders[job].attempt if attempt is None else attempt
        return self.about(
            Opcode.SEALED, Seal(outcome=sealed((job, attempt, a_receipt(job, attempt, **changes)))), job, attempt
        )

    def seal_together(self, *jobs: int, quarantined: Mapping[int, int] | None = None) -> list[Body]:
        """Seal a group, which the first of the jobs leads; some may have rows in quarantine, too."""
        leader, attempt = jobs[0], self.orders[jobs[0]].attempt
        receipts = [a_receipt(job, attempt, owner=leader, quarantined=(quarantined or {}).get(job, 0)) for job in jobs]
        found = [(job, self.orders[job].attempt, each) for job, each in zip(jobs, receipts, strict=True)]
        return self.about(Opcode.SEALED, Seal(outcome=sealed(*found)), leader)

    def survey(self, *jobs: int, base_table: str = "a") -> list[Body]:
        """Survey a group, which the first of the jobs leads."""
        surveyed = OutputSurvey(
            output="rows",
            base_table=base_table,
            is_named=False,
            columns=["id"],
            headerless=False,
            rows=1,
            survey=Survey.empty().to_bytes(),
        )
        found = [surveyed_as(job, surveyed, attempt=self.orders[job].attempt).jobs[0] for job in jobs]
        return self.about(Opcode.SEALED, Seal(outcome=Surveyed(jobs=found)), jobs[0])


def a_receipt(job: int, attempt: int, *, rows: int = 2, quarantined: int = 0, owner: int | None = None) -> Receipt:
    """What an attempt that brought rows to the table `a` leaves; `owner` is the job whose name its file carries."""

    def output(role: Role, count: int) -> SealedOutput:
        name = f"v1/a_{owner or job}.{attempt}.0.parquet"
        return SealedOutput(
            sink=SINK,
            table="a",
            role=role,
            contract_version=1,
            schema_hash="blake3:5c",
            rows=count,
            row_digest="blake3:d1",
            files=(SealedFile(name=name, rows=count, size=100, digest="blake3:f1"),),
        )

    outputs = [output(Role.ACCEPTED, rows)]
    if quarantined:
        outputs.append(output(Role.QUARANTINE, quarantined))
    counts = OutputCounts(table="a", emitted=rows + quarantined, accepted=rows, quarantined=quarantined)
    return Receipt(counts=(counts,), outputs=tuple(outputs), isolation="process", seconds=0.1, bytes_read=10)


def the(kind: type[B], bodies: Sequence[Body]) -> B:
    """The one answer of that kind."""
    [found] = [body for body in bodies if isinstance(body, kind)]
    return found


@contextmanager
def sentinel_home(folder: Path, *, with_contract: bool = True) -> Iterator[SentinelHome]:
    """A home with a sentinel; the table `a` has its contract unless it is to be found."""
    with HomeBuilder(folder) as past:
        if with_contract:
            columns = (ContractColumn("id", "int64"),)
            with past.database.transaction() as connection:
                contract = Contract("a", 1, columns, origin=Origin.DECLARED)
                adopt(connection, contract, Rule.DECLARED, "parser", NOW_NS)
        past.database.driver.execute("PRAGMA synchronous = OFF")  # what a crash of the machine would cost is not asked
        yield SentinelHome(past)


def sealed(*jobs: tuple[int, int, Receipt]) -> Sealed:
    """What a worker says of a group that it sealed."""
    return Sealed(jobs=[JobReceipt(job=job, attempt=attempt, receipt=receipt) for job, attempt, receipt in jobs])


def surveyed_as(job: int, *outputs: OutputSurvey, attempt: int = 1) -> Surveyed:
    """What a worker says of one job that waits for its contracts."""
    return Surveyed(jobs=[JobSurvey(job=job, attempt=attempt, outputs=list(outputs), sealed=[])])
