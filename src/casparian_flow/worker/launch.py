"""Starts a guest process and ends it: its descriptors, its folder, its group."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from casparian_flow import guest
from casparian_flow.core.errors import InvariantBroken, ParserCrashed
from casparian_flow.guest.wire import GO, Kind, frame
from casparian_flow.protocol.messages import JobOrder, Limits, ParserOrder
from casparian_flow.worker.environment import site_paths
from casparian_flow.worker.family import FAMILY
from casparian_flow.worker.process_tree import kill_group, kill_tree, wait_until_dead
from casparian_flow.worker.shield import shield_host

ISOLATION = "process"
"""The level that holds for every guest: own session, empty environment, no inherited descriptors, resource limits."""

STREAMS = ("stdout", "stderr", "log")
_SHIM = str(Path(guest.__file__).with_name("__main__.py"))
_REAP_SECONDS = 10.0
_POLL_SECONDS = 0.002


class Guest:
    """A running guest: its socket and its pipes, all non-blocking. `kill` may be called from any thread."""

    def __init__(
        self, process: subprocess.Popen[bytes], line: socket.socket, pipes: dict[str, int], held: contextlib.ExitStack
    ) -> None:
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
        return self._process.returncode

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
        """Kill what still runs, wait until all of it is dead, close every descriptor, remove the scratch folder."""
        self.kill()
        with self._lock:
            self._ended = True  # from here on its number may belong to another process
            try:
                self._process.wait(_REAP_SECONDS)
            except subprocess.TimeoutExpired as exc:
                raise InvariantBroken(f"the guest {self._process.pid} cannot be killed") from exc
            FAMILY.forget(self._process)
            dying, self._dying = self._dying, []
            FAMILY.end_strays()  # of a guest that died before it could be asked what it had started
            if not wait_until_dead(dying, _REAP_SECONDS):
                raise InvariantBroken(f"what the guest {self._process.pid} started cannot be killed")
        self._held.close()


def start_guest(parser: ParserOrder, jobs: Sequence[JobOrder], limits: Limits, within: Path | None = None) -> Guest:
    """A fresh interpreter that has its order and begins with the first job. `within` is where it gets its own folder.

    A forked copy of a warm interpreter (a zygote per artifact and environment) would be made here instead of a
    fresh one; everything after the order stays the same.
    """
    shield_host()
    try:
        return _start(_order(parser, jobs, limits), within)
    except OSError as exc:
        raise ParserCrashed(f"{parser.name}: its process could not be started", why=str(exc)) from exc


def _start(order: bytes, within: Path | None) -> Guest:
    with contextlib.ExitStack() as held, contextlib.ExitStack() as given:
        scratch = tempfile.mkdtemp(prefix="casparian-guest-", dir=within)
        held.callback(shutil.rmtree, scratch, ignore_errors=True)
        line, theirs = socket.socketpair()
        held.callback(line.close)
        given.callback(theirs.close)
        life, _ = _pipe(given, held)
        pipes = {stream: _pipe(held, given) for stream in STREAMS}
        passed = (theirs.fileno(), life, pipes["log"][1])
        process = FAMILY.start(
            lambda: subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                [sys.executable, "-I", "-S", "-X", "utf8", _SHIM, *map(str, passed)],
                stdin=subprocess.DEVNULL,
                stdout=pipes["stdout"][1],
                stderr=pipes["stderr"][1],
                env={},
                cwd=scratch,
                pass_fds=passed,
                start_new_session=True,
            )
        )
        given.close()  # a guest that ends is seen only if nobody else holds its ends
        with contextlib.suppress(OSError):  # it died at once; whoever waits for its answer will see that
            line.sendall(order)
        return Guest(process, line, {stream: ends[0] for stream, ends in pipes.items()}, held.pop_all())


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe whose ends are closed with the one and the other stack."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing


def _order(parser: ParserOrder, jobs: Sequence[JobOrder], limits: Limits) -> bytes:
    order: dict[str, Any] = {
        "parser": {
            "name": parser.name,
            "path": parser.path,
            "options": parser.options,
            "requires": parser.requires,
        },
        "jobs": [
            {
                "job": job.job,
                "path": os.fsdecode(job.path),
                "source_hash": job.source_hash,
                "file_version": job.file_version,
            }
            for job in jobs
        ],
        "limits": {
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds,
            "open_files": limits.open_files,
            "scratch_bytes": limits.scratch_bytes,
        },
        "frame_bytes": limits.frame_bytes,
        "site": site_paths(),
    }
    return frame(Kind.ORDER, order)
