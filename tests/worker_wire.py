"""A worker's core on a line of which a test holds the other end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from casparian_flow.core.jobs import JobPhase
from casparian_flow.core.receipts import Receipt
from casparian_flow.protocol.bodies import (
    Ack,
    Body,
    Cast,
    CastJob,
    Dispatch,
    Echo,
    Heartbeat,
    Identify,
    JobReceipt,
    JobSurvey,
    Sealed,
    Surveyed,
    Terms,
)
from casparian_flow.protocol.codec import Message, encode, from_worker
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.worker import actions
from casparian_flow.worker.core import WorkerCore
from guest_orders import a_job_order
from scripted_sentinel import a_parse, a_profile

RECEIPT = Receipt(counts=(), outputs=(), isolation="process", seconds=1.0, bytes_read=1)


def sealed(*jobs: int) -> Sealed:
    return Sealed(jobs=[JobReceipt(job=job, attempt=1, receipt=RECEIPT) for job in jobs])


def surveyed(*jobs: int) -> Surveyed:
    return Surveyed(jobs=[JobSurvey(job=job, attempt=1, outputs=[], sealed=[]) for job in jobs])


class Wire:
    """A worker's core with a clock that stands still, and its sentinel's side of the line."""

    def __init__(self, *, slots: int = 1, joined: bool = True, may_be_cut_off: bool = True, **profile: Any) -> None:
        self.core = WorkerCore(a_profile(slots, **profile), "w1", may_be_cut_off=may_be_cut_off)
        self.now = 100.0
        self.session = "s1"
        self.seq = 0
        self.mail: list[Message] = []
        self.todo: list[actions.Action] = []
        self.tick()
        if joined:
            self.accept()
            self.mail.clear()
            self.todo.clear()

    def tick(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.core.tick(self.now)
        self._take()

    def say(self, opcode: Opcode, body: Body, job: int = 0, attempt: int = 0, seq: int | None = None) -> None:
        self.seq = self.seq + 1 if seq is None else seq
        message = Message(opcode=opcode, session=self.session, seq=self.seq, job=job, attempt=attempt, body=body)
        self.core.receive(encode(message), self.now)
        self._take()

    def accept(self, incarnation: int = 1) -> None:
        """Answer the last IDENTIFY."""
        identify = self.last(Identify)
        terms = Terms(worker="w", incarnation=incarnation, lease_ms=15000, heartbeat_ms=1000, fence_ms=10000)
        self.say(Opcode.ACK, Ack(of=identify.seq, terms=terms))

    def parse(self, *jobs: int, attempt: int = 1) -> None:
        orders = [a_job_order(job) for job in jobs]
        order = a_parse(Path("p.py"), orders, Path("/out"))
        self.say(Opcode.DISPATCH, Dispatch(order=order), jobs[0])

    def cast(self, *jobs: int) -> None:
        parse = a_parse(Path("p.py"), [a_job_order(job) for job in jobs], Path("/out"))
        cast = [CastJob(job=each, tables={}) for each in parse.jobs]
        order = Cast(parser=parse.parser, jobs=cast, routes=parse.routes, contracts={})
        self.say(Opcode.DISPATCH, Dispatch(order=order), jobs[0])

    def slot(self, verb: str, *args: Any) -> Any:
        answer = getattr(self.core, verb)(*args, self.now)
        self._take()
        return answer

    def echo(self) -> None:
        self.say(Opcode.HEARTBEAT, Echo(of=self.last(Heartbeat).seq))

    def ack(self, message: Message) -> None:
        self.say(Opcode.ACK, Ack(of=message.seq), message.job, message.attempt)

    def last(self, body: type[Body]) -> Message:
        return [each for each in self.mail if isinstance(each.body, body)][-1]

    def said(self, *bodies: type[Body]) -> list[tuple[type[Body], int, int]]:
        """What was said since, heartbeats aside unless asked for; then forgotten."""
        wanted = bodies or tuple(set(Body.__subclasses__()) - {Heartbeat})
        found = [(type(each.body), each.job, each.attempt) for each in self.mail if isinstance(each.body, wanted)]
        self.mail.clear()
        return found

    def done(self) -> list[actions.Action]:
        todo, self.todo = self.todo, []
        return todo

    def progress(self) -> dict[int, JobPhase]:
        body = self.last(Heartbeat).body
        assert isinstance(body, Heartbeat)
        return {each.job: each.phase for each in body.progress}

    def heartbeat(self) -> Heartbeat:
        body = self.last(Heartbeat).body
        assert isinstance(body, Heartbeat)
        return body

    def _take(self) -> None:
        self.mail += map(from_worker, self.core.take_outgoing())
        self.todo += self.core.take_actions()
