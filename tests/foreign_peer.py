"""A worker written from docs/reference/protocol.md alone: a socket, 16 bytes of header, and JSON."""

from __future__ import annotations

import _thread
import json
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq

HEADER = struct.Struct(">BBHQI")
IDENTIFY, DISPATCH, ABORT, HEARTBEAT, CONCLUDE, ERR, RELOAD = range(1, 8)
ACK, SEALED, PERMIT, STOPPED = range(11, 15)
NOTHING = {"counts": [], "outputs": [], "isolation": "none", "seconds": 0.0, "bytes_read": 0}


class ForeignPeer(threading.Thread):
    """Completes every job with no rows. `before` may say anything to the sentinel first; it gets this peer."""

    def __init__(self, endpoint: str, before: Callable[[ForeignPeer], None] = lambda peer: None) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._before = before
        self._seq = 0
        self._seen = 0
        self._sentinel = ""
        self._is_over = False
        self._attempts: dict[int, int] = {}
        self._asked: dict[int, tuple[int, dict[str, Any]]] = {}
        self.completed: list[int] = []
        self.fault: BaseException | None = None

    def __enter__(self) -> ForeignPeer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self.join()
        if self.fault is not None:
            raise self.fault

    def check(self) -> None:
        """Raises what ended it before its time."""
        if self.fault is not None:
            raise self.fault

    def run(self) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = context.socket(zmq.DEALER)
        self._socket.routing_id = b"foreign/0123456789"
        self._socket.connect(self._endpoint)
        try:
            self._before(self)
            while not self._is_over:
                self._turn()
        except BaseException as exc:  # told to the test, whose run would wait for this worker for ever
            self.fault = exc
            _thread.interrupt_main()
        finally:
            self._socket.close(linger=0)
            context.term()

    def send(self, data: bytes) -> None:
        self._socket.send(data)

    def hear(self, seconds: float) -> tuple[int, int, dict[str, Any]] | None:
        """The next message: opcode, job and payload."""
        if not self._socket.poll(int(seconds * 1000)):
            return None
        data = self._socket.recv()
        version, opcode, reserved, job, length = HEADER.unpack(data[:16])
        assert (reserved, length) == (0, len(data) - 16), data
        payload = json.loads(data[16:])
        # Who speaks another version is told so in that one.
        assert version == 7 or payload["body"]["code"] == "unknown-version", data
        return opcode, job, payload

    def say(self, opcode: int, body: dict[str, Any], job: int = 0) -> None:
        self._seq += 1
        attempt = self._attempts.get(job, 0)
        payload = json.dumps({"session": "f00d", "seq": self._seq, "attempt": attempt, "body": body}).encode()
        self.send(HEADER.pack(7, opcode, 0, job, len(payload)) + payload)

    def _turn(self) -> None:
        if not self._sentinel:
            about = {"worker": "foreign", "host": "h", "pid": 1, "product": "mine", "slots": 1, "isolation": "none"}
            self.say(IDENTIFY, about)
        else:
            free = 0 if self._asked else 1
            progress = [{"job": job, "attempt": self._attempts[job], "phase": "sealed"} for job in self._asked]
            self.say(HEARTBEAT, {"free": free, "seen": self._seen, "progress": progress})
            for job, (opcode, body) in self._asked.items():
                self.say(opcode, body, job)
        until = time.monotonic() + 0.2
        while (message := self.hear(max(until - time.monotonic(), 0))) is not None:
            self._take(*message)

    def _take(self, opcode: int, job: int, payload: dict[str, Any]) -> None:
        body = payload["body"]
        if opcode == ACK and body.get("terms"):
            self._sentinel, self._seen = payload["session"], payload["seq"]
        if payload["session"] != self._sentinel:
            return
        self._seen = max(self._seen, payload["seq"])
        if opcode == DISPATCH:
            for order in body["order"]["jobs"]:
                self._attempts[order["job"]] = order["attempt"]
                sealed = {"job": order["job"], "attempt": order["attempt"], "receipt": NOTHING}
                self._ask(order["job"], SEALED, {"outcome": {"kind": "sealed", "jobs": [sealed]}})
        elif opcode == PERMIT and self._asked[job][0] == SEALED:
            assert body["entries"] == []
            self._ask(job, CONCLUDE, {})
        elif opcode == ACK and job in self._asked:
            del self._asked[job]
            self.completed.append(job)
        elif opcode == RELOAD:
            self._sentinel = ""

    def _ask(self, job: int, opcode: int, body: dict[str, Any]) -> None:
        self._asked[job] = (opcode, body)
        self.say(opcode, body, job)
