"""One boot of a worker: the real rules, and slots that only pretend to parse."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.jobs import LogLine
from casparian_flow.core.outputs import PermittedEntry, Role, SealedFile, SealedOutput
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import Identify, JobReceipt, JobSurvey, Parse, Permit, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder, OutputSurvey
from casparian_flow.schema.survey import Survey
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.layout import data_file
from casparian_flow.worker.actions import Action, Answer, Begin, Discard, Held, Stop
from casparian_flow.worker.core import WorkerCore

from .sinks import Sinks, Violation

ROWS = 3
Key = tuple[int, int]
_COLUMNS = pa.record_batch({"n": pa.array([1, 2, 3], pa.int64())})
_SURVEY = Survey.of(_COLUMNS, pa.array([1, 2, 3], pa.int64())).to_bytes()


class Stage(Enum):
    """What a slot is at."""

    NEXT = auto()
    WORKING = auto()
    WAITING = auto()
    PROMOTING = auto()


@dataclass(slots=True)
class Work:
    """One order in one slot."""

    routes: Routes
    contracts: dict[str, Contract]
    todo: deque[JobOrder]
    is_cast: bool
    stage: Stage = Stage.NEXT
    current: Key = (0, 0)
    table: str = ""
    is_stopped: bool = False
    entries: list[PermittedEntry] = field(default_factory=list)


@dataclass(slots=True)
class Habits:
    """How often parsers do what; all of it may become 0 when the faults end."""

    fails: float = 0.0
    fails_for_now: float = 0.0


class WorkerNode:
    """A worker from its start to its crash. `begun` is told of every attempt that a slot begins with."""

    def __init__(
        self,
        name: str,
        boot: int,
        slots: int,
        sinks: Sinks,
        chance: random.Random,
        habits: Habits,
        begun: Callable[[Key, str], None],
        core: type[WorkerCore] = WorkerCore,
    ) -> None:
        self.name = name
        self.session = f"{name}-{boot}"
        self.peer = self.session.encode()
        self.is_paused = False
        self._sinks = sinks
        self._chance = chance
        self._habits = habits
        self._begun = begun
        self._works: dict[int, Work] = {}
        self._surveyed: set[Key] = set()
        profile = Identify(worker=name, host="here", pid=boot, product="test", slots=slots, isolation="process")
        self.core = core(profile, self.session)

    def receive(self, data: bytes, now: float) -> None:
        """A message of the sentinel arrives."""
        self.core.receive(data, now)
        self._act(now)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if now >= self.core.wakes_at:
            self.core.tick(now)
            self._act(now)

    def work(self, now: float) -> bool:
        """One slot takes one step; False if all of them wait."""
        busy = [slot for slot, work in self._works.items() if work.stage is not Stage.WAITING]
        if not busy:
            return False
        slot = busy[int(self._chance.random() * len(busy))]
        self._step(slot, self._works[slot], now)
        self._act(now)
        return True

    @property
    def is_free(self) -> bool:
        """Whether it has nothing in hand."""
        return not self._works and not self._surveyed

    def _act(self, now: float) -> None:
        while actions := self.core.take_actions():
            for action in actions:
                self._do(action, now)

    def _do(self, action: Action, now: float) -> None:
        match action:
            case Begin(slot=slot, order=order):
                if slot in self._works:
                    raise Violation(f"{self.session} was told to begin twice in slot {slot}")
                jobs = order.jobs if isinstance(order, Parse) else [each.job for each in order.jobs]
                is_cast = not isinstance(order, Parse)
                self._works[slot] = Work(order.routes, order.contracts, deque(jobs), is_cast)
                for job in jobs:
                    if not is_cast:
                        self._begun((job.job, job.attempt), self.session)
                    elif (job.job, job.attempt) not in self._surveyed:
                        raise Violation(f"{self.session} was told to cast what it has not surveyed")
                    self._surveyed.discard((job.job, job.attempt))
            case Answer(job=job, attempt=attempt, answer=answer):
                for work in self._works.values():
                    if work.current == (job, attempt) and work.stage is Stage.WAITING:
                        self._answered(work, answer, now)
            case Stop(job=job, attempt=attempt):
                self._stop((job, attempt), now)
            case Discard(group=group):
                for key in group:
                    self._surveyed.discard(key)
                    self.core.stopped(*key, now)
            case _:
                pass

    def _answered(self, work: Work, answer: object, now: float) -> None:
        if isinstance(answer, Permit):
            work.stage, work.entries = Stage.PROMOTING, list(answer.entries)
            return
        key, work.current, work.stage = work.current, (0, 0), Stage.NEXT
        if not isinstance(answer, Held):
            self._sinks.discard(Attempt(job=key[0], attempt=key[1]))
            self.core.stopped(*key, now)

    def _stop(self, key: Key, now: float) -> None:
        for work in self._works.values():
            if work.current == key:
                work.is_stopped = work.stage is Stage.WORKING
            elif waiting := [job for job in work.todo if (job.job, job.attempt) == key]:
                work.todo.remove(waiting[0])
                self.core.stopped(*key, now)

    def _step(self, slot: int, work: Work, now: float) -> None:
        if work.stage is Stage.NEXT:
            if not work.todo:
                del self._works[slot]
                self.core.free(slot, now)
                return
            order = work.todo.popleft()
            work.current, work.stage, work.table = (order.job, order.attempt), Stage.WORKING, order.base_table
            work.is_stopped = False
            self.core.started(*work.current, now)
        elif work.is_stopped:
            key, work.current, work.stage, work.is_stopped = work.current, (0, 0), Stage.NEXT, False
            self.core.stopped(*key, now)
        elif work.stage is Stage.WORKING:
            self._work_on(work, now)
        else:
            self._promote(work, now)

    def _work_on(self, work: Work, now: float) -> None:
        luck = self._chance.random()
        if luck < 0.3:
            self.core.progressed(*work.current, 1, 10, now)
            return
        if luck < 0.35:
            self.core.printed(*work.current, [LogLine("stdout", "a line")], now)
            return
        key, work.stage = work.current, Stage.NEXT
        luck = self._chance.random()
        if luck < self._habits.fails:
            work.current = (0, 0)
            self.core.failed(*key, "parser-refused", "not today", "", False, now)
        elif luck < self._habits.fails + self._habits.fails_for_now:
            work.current = (0, 0)
            self.core.failed(*key, "parser-transient", "not now", "", True, now)
        elif work.is_cast or work.table in work.contracts:
            work.stage = Stage.WAITING
            receipt = self._sinks.seal(a_receipt(key, work.table, work.routes), Attempt(job=key[0], attempt=key[1]))
            self._sealed(work, receipt, now)
        else:
            work.current = (0, 0)
            self._surveyed.add(key)
            found = JobSurvey(job=key[0], attempt=key[1], outputs=[a_survey(work.table)], sealed=[])
            if not self.core.surveyed(Surveyed(jobs=[found]), now):
                self._surveyed.discard(key)
                self.core.stopped(*key, now)

    def _sealed(self, work: Work, receipt: Receipt, now: float) -> None:
        job, attempt = work.current
        self.core.sealed(Sealed(jobs=[JobReceipt(job=job, attempt=attempt, receipt=receipt)]), now)

    def _promote(self, work: Work, now: float) -> None:
        try:
            if work.entries:
                self._sinks.promote(work.entries[0])
                del work.entries[0]
                return
        except SinkUnavailable as exc:
            key, work.current, work.stage = work.current, (0, 0), Stage.NEXT
            self.core.failed(*key, exc.code, exc.message, "", True, now)
            return
        key, work.current, work.stage = work.current, (0, 0), Stage.NEXT
        self.core.concluded(*key, now)


def a_receipt(key: Key, table: str, routes: Routes) -> Receipt:
    """What an attempt sealed: the same rows each time, in files of its own."""
    digest = digest_of(str(key[0]).encode())
    name = "v1/" + data_file(table, Attempt(job=key[0], attempt=key[1]), 0, ".parquet")
    return Receipt(
        counts=(OutputCounts(table=table, emitted=ROWS, accepted=ROWS, quarantined=0),),
        outputs=tuple(
            SealedOutput(
                sink=target.uri,
                table=table,
                role=Role.ACCEPTED,
                contract_version=1,
                schema_hash=digest,
                rows=ROWS,
                row_digest=digest,
                files=(SealedFile(name=name, rows=ROWS, size=100, digest=digest_of(name.encode())),),
            )
            for target in routes.targets_of(table)
        ),
        isolation="process",
        seconds=0.1,
        bytes_read=10,
    )


def a_survey(table: str) -> OutputSurvey:
    """What an attempt found in a table that has no contract."""
    return OutputSurvey(
        output="rows", base_table=table, is_named=False, columns=["n"], headerless=False, rows=ROWS, survey=_SURVEY
    )
