"""A sentinel that does what a test tells it, over any transport, and the worker that it talks to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from casparian_flow.core.contracts import Contract
from casparian_flow.core.outputs import SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import (
    Abort,
    Ack,
    Body,
    Cast,
    Dispatch,
    Echo,
    Err,
    Heartbeat,
    Identify,
    Parse,
    Permit,
    Seal,
    Surveyed,
    Terms,
)
from casparian_flow.protocol.codec import Message, encode, from_worker
from casparian_flow.protocol.in_process import InProcessRouter
from casparian_flow.protocol.messages import JobOrder, Limits
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.protocol.transport import Router
from casparian_flow.sinks.uri import open_sink
from casparian_flow.worker.execute import Tools
from casparian_flow.worker.station import Station
from guest_orders import a_parser_order

WAIT_SECONDS = 20.0


def a_profile(slots: int = 1, **changes: Any) -> Identify:
    who = {"worker": "w", "host": "here", "pid": 7, "product": "test", "slots": slots, "isolation": "process"}
    return Identify(**(who | changes))


def a_job(path: Path, job: int, attempt: int = 1) -> JobOrder:
    stat = path.stat()
    return JobOrder(
        job=job,
        attempt=attempt,
        path=str(path).encode(),
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        source_hash="blake3:11",
        file_version=7,
        base_table="t",
        processed_at_ns=0,
    )


def a_parse(
    parser: Path,
    jobs: Sequence[JobOrder],
    target: Path,
    contracts: Sequence[Contract] = (),
    limits: Limits | None = None,
) -> Parse:
    return Parse(
        parser=a_parser_order(parser),
        jobs=list(jobs),
        contracts={contract.table: contract for contract in contracts},
        routes=Routes(default=(SinkTarget(f"parquet://{target}"),)),
        limits=limits or Limits(job_seconds=60.0),
    )


class ScriptedSentinel:
    """Accepts whoever identifies, echoes heartbeats, acknowledges failures and surveys; keeps all it heard."""

    def __init__(self, router: Router | None = None, **terms: int) -> None:
        self.router = router or InProcessRouter()
        self._peer = b"w"
        self.heard: list[Message] = []
        self.is_mute = False
        self.refusal = ""
        self._terms = {"incarnation": 1, "lease_ms": 15000, "heartbeat_ms": 100, "fence_ms": 10000} | terms
        self._seq = 0

    def say(self, opcode: Opcode, body: Body, job: int = 0, attempt: int = 0) -> None:
        self._seq += 1
        message = Message(opcode=opcode, session="s1", seq=self._seq, job=job, attempt=attempt, body=body)
        self.router.send(self._peer, encode(message))

    def dispatch(self, order: Parse | Cast) -> None:
        first = order.jobs[0].job
        self.say(Opcode.DISPATCH, Dispatch(order=order), first if isinstance(first, int) else first.job)

    def abort(self, job: int, attempt: int = 1) -> None:
        self.say(Opcode.ABORT, Abort(code="cancelled"), job, attempt)

    def permit(self, job: int, attempt: int = 1) -> None:
        self.say(Opcode.PERMIT, Permit(entries=[]), job, attempt)

    def listen(self, seconds: float) -> None:
        """Take in what comes next."""
        if (found := self.router.receive(seconds)) is None:
            return
        self._peer = found[0]
        message = from_worker(found[1])
        self.heard.append(message)
        if self.is_mute:
            return
        match message.body:
            case Identify() if self.refusal:
                self.say(Opcode.ERR, Err(code="worker-removed", message=self.refusal, of=message.seq))
            case Identify():
                self.say(Opcode.ACK, Ack(of=message.seq, terms=Terms(worker="w", **self._terms)))
            case Heartbeat():
                self.say(Opcode.HEARTBEAT, Echo(of=message.seq))
            case Seal(outcome=Surveyed()):
                self.say(Opcode.ACK, Ack(of=message.seq), message.job, message.attempt)
            case Seal():
                pass
            case _:
                self.say(Opcode.ACK, Ack(of=message.seq), message.job, message.attempt)

    def until(self, is_so: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        """Listen until something is so."""
        ends = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < ends, [(each.opcode.name, each.job, each.body) for each in self.heard[-8:]]
            self.listen(0.05)

    def until_free(self) -> None:
        """Listen until a slot that was at work is free."""
        heard = len(self.heard)
        self.until(lambda: any(isinstance(each.body, Heartbeat) and each.body.free for each in self.heard[heard:]))

    def hear(self, opcode: Opcode, job: int) -> Message:
        """The first message of that kind about the job."""
        self.until(lambda: bool(self.said(opcode, job)))
        return self.said(opcode, job)[0]

    def said(self, opcode: Opcode, job: int) -> list[Message]:
        return [each for each in self.heard if each.opcode is opcode and each.job == job]

    def failure(self, job: int) -> Err:
        body = self.hear(Opcode.ERR, job).body
        assert isinstance(body, Err)
        return body


@contextmanager
def a_worker(
    sentinel: ScriptedSentinel, scratch: Path, slots: int = 1, told: list[str] | None = None
) -> Iterator[Station]:
    """A worker in this process that has joined."""
    names = [] if told is None else told
    tools = Tools(open_sink=open_sink, scratch=scratch)
    assert isinstance(sentinel.router, InProcessRouter)
    with Station(
        sentinel.router.connect(b"w"), a_profile(slots), tools, lambda event, _: names.append(event)
    ) as station:
        sentinel.until(lambda: any(isinstance(each.body, Heartbeat) for each in sentinel.heard))
        yield station
