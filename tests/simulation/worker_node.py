"""One boot of a worker: the real rules, and slots that only pretend to parse."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.core.jobs import LogLine
from casparian_flow.core.outputs import PermittedEntry
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import Cast, Identify, Parse, Permit
from casparian_flow.protocol.messages import JobOrder
from casparian_flow.sinks.base import Attempt
from casparian_flow.worker.actions import Action, Answer, Begin, Discard, Held, Stop
from casparian_flow.worker.core import WorkerCore
from casparian_flow.worker.held import Key

from .oracle import Oracle
from .rows import a_receipt, a_survey, sealed, surveyed
from .sinks import Sinks, Violation


class Stage(Enum):
    """What a slot is at."""

    NEXT = auto()
    WORKING = auto()
    WAITING = auto()
    PROMOTING = auto()


@dataclass(slots=True)
class Work:
    """One order in one slot. What it has read and not told yet is its open `group`; what it asks about is `asked`."""

    routes: Routes
    contracts: dict[str, Contract]
    todo: deque[JobOrder]
    is_cast: bool
    stage: Stage = Stage.NEXT
    current: Key = (0, 0)
    is_stopped: bool = False
    tables: dict[Key, str] = field(default_factory=dict)
    group: list[Key] = field(default_factory=list)
    unwanted: set[Key] = field(default_factory=set)
    asked: list[Key] = field(default_factory=list)
    entries: list[PermittedEntry] = field(default_factory=list)


@dataclass(slots=True)
class Habits:
    """How often parsers do what; all of it may become 0 when the faults end."""

    fails: float = 0.0
    fails_for_now: float = 0.0
    rejects: float = 0.0


class WorkerNode:
    """A worker from its start to its crash. The oracle is told what its slots begin with and what fails there."""

    def __init__(
        self,
        name: str,
        boot: int,
        slots: int,
        sinks: Sinks,
        chance: random.Random,
        habits: Habits,
        oracle: Oracle,
        core: type[WorkerCore] = WorkerCore,
    ) -> None:
        self.name = name
        self.session = f"{name}-{boot}"
        self.peer = self.session.encode()
        self.is_paused = False
        self._sinks = sinks
        self._chance = chance
        self._habits = habits
        self._oracle = oracle
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
                self._begin(slot, order)
            case Answer(job=job, attempt=attempt, answer=answer):
                for work in self._works.values():
                    if work.stage is Stage.WAITING and work.asked[0] == (job, attempt):
                        self._answered(work, answer, now)
            case Stop(job=job, attempt=attempt):
                self._stop((job, attempt), now)
            case Discard(group=group):
                for key in group:
                    self._surveyed.discard(key)
                    self.core.stopped(*key, now)
            case _:
                pass

    def _begin(self, slot: int, order: Parse | Cast) -> None:
        is_cast = isinstance(order, Cast)
        jobs = [each.job for each in order.jobs] if isinstance(order, Cast) else order.jobs
        self._works[slot] = Work(order.routes, order.contracts, deque(jobs), is_cast)
        for job in jobs:
            key = (job.job, job.attempt)
            if not is_cast:
                self._oracle.begun(key, self.session)
            elif key not in self._surveyed:
                raise Violation(f"{self.session} was told to cast what it has not surveyed")
            self._surveyed.discard(key)

    def _answered(self, work: Work, answer: object, now: float) -> None:
        if isinstance(answer, Permit):
            work.stage, work.entries = Stage.PROMOTING, list(answer.entries)
            return
        keys, work.asked, work.stage = work.asked, [], Stage.NEXT
        if not isinstance(answer, Held):
            self._sinks.discard(Attempt(job=keys[0][0], attempt=keys[0][1]))
            for key in keys:
                self.core.stopped(*key, now)

    def _stop(self, key: Key, now: float) -> None:
        for work in self._works.values():
            if work.current == key:
                work.is_stopped = work.stage is Stage.WORKING
            elif key in work.group:
                work.unwanted.add(key)
            elif waiting := [job for job in work.todo if (job.job, job.attempt) == key]:
                work.todo.remove(waiting[0])
                self.core.stopped(*key, now)

    def _step(self, slot: int, work: Work, now: float) -> None:
        if work.stage is Stage.NEXT:
            if work.group and (not work.todo or (not work.is_cast and self._chance.random() < 0.3)):
                self._close(work, now)
            elif not work.todo:
                del self._works[slot]
                self.core.free(slot, now)
            else:
                order = work.todo.popleft()
                work.current, work.stage, work.is_stopped = (order.job, order.attempt), Stage.WORKING, False
                work.tables[work.current] = order.base_table
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
        key, work.current, work.stage = work.current, (0, 0), Stage.NEXT
        luck = self._chance.random()
        if luck < self._habits.fails:
            self._oracle.blamed.add(key)
            self.core.failed(*key, "parser-refused", "not today", "", False, now)
        elif luck < self._habits.fails + self._habits.fails_for_now:
            self._oracle.blamed.add(key)
            self.core.failed(*key, "parser-transient", "not now", "", True, now)
        else:
            work.group.append(key)

    def _close(self, work: Work, now: float) -> None:
        """Tell of everything that was read since the last time as of one group."""
        # Who is stopped while the group is closed may be in it: the core has to notice.
        dropped = {key for key in work.group if key in work.unwanted and self._chance.random() < 0.7}
        keys = [key for key in work.group if key not in dropped]
        work.group, work.unwanted = [], set()
        for key in sorted(dropped):
            self.core.stopped(*key, now)
        if not keys:
            return
        if work.is_cast or all(work.tables[key] in work.contracts for key in keys):
            self._seal(work, keys, now)
            return
        self._surveyed.update(keys)
        outputs = [[] if table in work.contracts else [a_survey(table)] for table in (work.tables[key] for key in keys)]
        if not self.core.surveyed(surveyed(keys, outputs), now):
            self._surveyed.difference_update(keys)
            for key in keys:
                self.core.stopped(*key, now)

    def _seal(self, work: Work, keys: list[Key], now: float) -> None:
        rejected = {key for key in keys if self._chance.random() < self._habits.rejects}
        self._oracle.blamed |= rejected
        receipts = [a_receipt(key, keys[0], work.tables[key], work.routes, is_rejected=key in rejected) for key in keys]
        work.stage, work.asked = Stage.WAITING, keys
        self._sealed(work, self._sinks.seal(keys, receipts), now)

    def _sealed(self, work: Work, receipts: list[Receipt], now: float) -> None:
        self.core.sealed(sealed(work.asked, receipts), now)

    def _promote(self, work: Work, now: float) -> None:
        leader = work.asked[0]
        try:
            if work.entries:
                self._sinks.promote(work.entries[0])
                del work.entries[0]
                return
        except SinkUnavailable as exc:
            work.asked, work.stage = [], Stage.NEXT
            self.core.failed(*leader, exc.code, exc.message, "", True, now)
            return
        work.asked, work.stage = [], Stage.NEXT
        self.core.concluded(*leader, now)
