"""A running guest as its host sees it: its process, its line and its pipes, and its end."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.guest.family import FAMILY
from casparian_flow.guest.wire import GO
from casparian_flow.worker.environment import site_paths
from casparian_flow.worker.process_tree import kill_group, kill_tree, wait_until_dead
from casparian_flow.worker.zygote import SHIM, Forked

ISOLATION = "process"
"""The level that holds for every guest: own session, empty environment, no inherited descriptors, resource limits."""
FORKED = "process:forked"
"""The same level, of a guest that began as a copy of its parser's zygote."""
FRESH_BECAUSE = "process: fresh, because "
"""The same level, of a guest whose parser is never copied; the reason follows."""

STREAMS = ("stdout", "stderr", "log")
NOWHERE = "/"
"""Where a guest is until its order names a folder of its own."""
_REAP_SECONDS = 10.0
_ORDER_SECONDS = 10.0
_POLL_SECONDS = 0.002

Start = Callable[[Sequence[int], contextlib.ExitStack], "Process | None"]
"""Starts a process with these descriptors (line, stdout, stderr, log); what is held lasts as long as the guest."""


class Process(Protocol):
    """The process of a guest: one of ours, or one that a zygote forked."""

    @property
    def pid(self) -> int:
        """Its number, which belongs to no other process until `poll` or `wait` has told that it is dead."""
        ...

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        ...

    def wait(self, timeout: float) -> int:
        """The same when it has ended; raises `subprocess.TimeoutExpired`."""
        ...


class Guest:
    """A running guest: its socket and its pipes, all non-blocking. `kill` may be called from any thread.

    `why_fresh` is why its parser is never copied; empty as long as it may be.
    """

    def __init__(
        self, process: Process, line: socket.socket, pipes: dict[str, int], held: contextlib.ExitStack
    ) -> None:
        self.why_fresh = ""
        self._process = process
        self._held = held
        self._lock = threading.Lock()
        self._ended = False
        self._dying: list[int] = []
        self.line = line
        self.pipes = pipes
        for fd in (line.fileno(), *self.pipes.values()):
            os.set_blocking(fd, False)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def is_forked(self) -> bool:
        """Whether it began as a copy of its parser's zygote."""
        return isinstance(self._process, Forked)

    @property
    def was_orphaned(self) -> bool:
        """Whether what it was copied from has died, which may be why it did."""
        return isinstance(self._process, Forked) and self._process.was_orphaned

    @property
    def isolation(self) -> str:
        """How it is kept apart, as receipts say it."""
        if self.is_forked:
            return FORKED
        return FRESH_BECAUSE + self.why_fresh if self.why_fresh else ISOLATION

    @property
    def has_exited(self) -> bool:
        """Whether the process is gone by itself or was killed."""
        with self._lock:
            return self._process.poll() is not None

    def wait(self, seconds: float) -> int | None:
        """The exit code, negative for a signal; None if it still runs after so many seconds."""
        deadline = time.monotonic() + seconds
        while not self.has_exited:
            if time.monotonic() >= deadline:
                return None
            time.sleep(_POLL_SECONDS)
        return self._process.poll()

    def hold(self, stack: contextlib.ExitStack) -> None:
        """Keep what lasts as long as the guest: it is closed at its end."""
        self._held.push(stack)

    def send(self, order: bytes) -> None:
        """Give it its order, which comes first."""
        self.line.settimeout(_ORDER_SECONDS)
        with contextlib.suppress(OSError):  # it died at once; whoever waits for its answer will see that
            self.line.sendall(order)
        self.line.setblocking(False)

    def go_on(self) -> None:
        """Let it begin with its next job."""
        with contextlib.suppress(OSError):  # if it has gone, reading from it will say so
            self.line.send(GO)

    def kill(self) -> None:
        """SIGKILL to the guest with all of its descendants, or to what is left of its group if it has gone itself."""
        with self._lock:
            if self._ended:
                return
            if self._process.poll() is None:
                self._dying += kill_tree(self._process.pid)
            else:
                kill_group(self._process.pid)

    def end(self) -> None:
        """Kill what still runs, wait until all of it is dead, close every descriptor and what else it held."""
        self.kill()
        with self._lock:
            self._ended = True  # from here on its number may belong to another process
            try:
                self._process.wait(_REAP_SECONDS)
            except subprocess.TimeoutExpired as exc:
                raise InvariantBroken(f"the guest {self._process.pid} cannot be killed") from exc
            dying, self._dying = self._dying, []
            FAMILY.end_strays()  # of a guest that died before it could be asked what it had started
            if not wait_until_dead(dying, _REAP_SECONDS):
                raise InvariantBroken(f"what the guest {self._process.pid} started cannot be killed")
        self._held.close()


def begin(start: Start) -> Guest | None:
    """A guest with descriptors of its own that waits for its order; None, and nothing left, if `start` starts none.

    They are never given to another one: a zygote may have forked although it could not say so, and its copy ends
    when this end of its line is closed. Raises OSError.
    """
    with contextlib.ExitStack() as held, contextlib.ExitStack() as given:
        line, theirs = socket.socketpair()
        held.callback(line.close)
        given.callback(theirs.close)
        pipes = {stream: _pipe(held, given) for stream in STREAMS}
        process = start([theirs.fileno(), *(pipes[stream][1] for stream in STREAMS)], held)
        if process is None:
            return None
        given.close()  # a guest that ends is seen only if nobody else holds its ends
        return Guest(process, line, {stream: ends[0] for stream, ends in pipes.items()}, held.pop_all())


def fresh_guest() -> Guest:
    """A guest in a fresh interpreter, which opens its environment while it waits for its order. Raises OSError."""
    guest = begin(_start_fresh)
    assert guest is not None
    return guest


def _start_fresh(passed: Sequence[int], held: contextlib.ExitStack) -> subprocess.Popen[bytes]:
    """A fresh interpreter; its life ends with a pipe that is `held`, so with this process at the latest."""
    line, stdout, stderr, log = passed
    with contextlib.ExitStack() as given:
        life, _ = _pipe(given, held)
        process = FAMILY.start(
            lambda: subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                [sys.executable, "-I", "-S", "-X", "utf8", SHIM, "guest", *map(str, (line, life, log)), *site_paths()],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={},
                cwd=NOWHERE,
                pass_fds=(line, life, log),
                start_new_session=True,
            )
        )
    held.callback(FAMILY.forget, process)
    return process


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe whose ends are closed with the one and the other stack."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing
