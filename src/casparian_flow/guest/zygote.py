"""A warm process that never parses: it imports what a parser needs, then each guest is a forked copy of it.

Its host speaks with it over a socket that keeps messages apart, one answer to each. The first is the order; then
`fork`, with the descriptors of the new guest, which is answered with the guest's number; then `reap`, which is
answered with its exit code. Until it is reaped, the number of a dead guest belongs to nobody else.

No function of the parser runs here, only the body of its module. What that says is kept, and each guest says it again.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import re
import socket
import sys
import tempfile
import traceback
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from casparian_flow.guest import shield
from casparian_flow.guest.attend import begin, greet
from casparian_flow.guest.family import Family
from casparian_flow.guest.one_core import one_core
from casparian_flow.guest.wire import HOST_GONE

MAX_MESSAGE = 1 << 16
GIVEN = ("line", "stdout", "stderr", "log")
"""The descriptors that come with `fork`, in this order."""
MAX_SAID = 1 << 16
"""Most bytes that a module may say while it is imported: what a pipe takes at once."""
OWN_CPU_SECONDS = 3600
"""CPU time that a zygote may use beyond that of its guests, which have limits of their own."""
OPEN_FILES = 1024
ALLOCATOR_THREADS = frozenset({"jemalloc_bg_thd"})
"""Threads that survive a fork, since whoever runs them starts them again."""


class Unsafe(Exception):
    """A copy of this process might behave differently from a fresh one; the message says why."""


@dataclass(frozen=True, slots=True)
class _Child:
    """A forked guest; it ends when `life`, which this process alone holds, is closed."""

    pid: int
    life: int


class _Captured:
    """The three streams of this process, each kept in a file of its own until a copy says it again."""

    def __init__(self) -> None:
        self._kept = [tempfile.TemporaryFile(dir=".") for _ in range(3)]  # noqa: SIM115 - as long as the process
        self.log = os.dup(self._kept[2].fileno())
        self._streams = (1, 2, self.log)
        for kept, stream in zip(self._kept, self._streams, strict=True):
            os.dup2(kept.fileno(), stream)
        os.set_inheritable(self.log, False)

    @property
    def size(self) -> int:
        """The most that one of them said."""
        return max(os.fstat(kept.fileno()).st_size for kept in self._kept)

    def redirect(self, pipes: list[int]) -> None:
        """Let the streams flow into these pipes, which are closed here."""
        for pipe, stream in zip(pipes, self._streams, strict=True):
            os.dup2(pipe, stream, inheritable=stream != self.log)
            os.close(pipe)

    def repeat(self) -> None:
        """Say what was kept."""
        for kept, stream in zip(self._kept, self._streams, strict=True):
            os.write(stream, os.pread(kept.fileno(), MAX_SAID, 0))
            kept.close()


def serve(control: int, life: int) -> None:
    """Get warm and fork guests until the host goes away or kills this process."""
    for fd in (control, life):
        os.set_inheritable(fd, False)
    shield.die_with_host(life)
    shield.keep_private(True)
    host = socket.socket(fileno=control)
    order = json.loads(host.recv(MAX_MESSAGE))
    limits = order["limits"]
    shield.limit(
        limits
        | {
            "cpu_seconds": limits["cpu_seconds"] + OWN_CPU_SECONDS,
            "open_files": max(limits["open_files"], OPEN_FILES),
        }
    )
    captured = _Captured()
    shield.open_log(captured.log)
    sys.path.extend(order["site"])
    try:
        module = _warm(order["parser"], captured)
    except Unsafe as unsafe:
        _answer(host, {"unsafe": str(unsafe)})
        return
    _answer(host, {"unsafe": ""})
    _Zygote(host, life, captured, module).serve()


def _warm(parser: Any, captured: _Captured) -> ModuleType:
    """Import everything that a guest of this parser imports; raises Unsafe."""
    with one_core():
        from casparian_flow.guest import runner  # noqa: PLC0415 - needs the environment

    known = _threads()
    try:
        for name in parser["requires"]:
            _import_requirement(name)
        module = runner.import_module(parser)
    except (Exception, SystemExit) as exc:
        raise Unsafe(f"its module cannot be imported: {type(exc).__name__}") from exc
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if captured.size > MAX_SAID:
        raise Unsafe(f"its module says {captured.size} bytes while it is imported")
    if others := {name for at, name in _threads().items() if at not in known} - ALLOCATOR_THREADS:
        raise Unsafe(f"its imports start threads: {', '.join(sorted(others))}")
    gc.collect()
    gc.freeze()
    return module


def _import_requirement(requirement: str) -> None:
    """Import a distribution by its own name; one of another name is imported where the parser does it."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        importlib.import_module(name.replace("-", "_").lower())
    except ImportError:
        return


def _threads() -> dict[int, str]:
    """The threads of this process, those of libraries included, by their numbers."""
    found = {}
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208 - a number for each
        with open(f"/proc/self/task/{thread}/comm") as file:  # noqa: PTH123
            found[int(thread)] = file.read().strip()
    return found


class _Zygote:
    """A warm process and its guests."""

    def __init__(self, host: socket.socket, life: int, captured: _Captured, module: ModuleType) -> None:
        self._host = host
        self._life = life
        self._captured = captured
        self._module = module
        self._children: dict[int, _Child] = {}
        self._family = Family()
        self._family.adopt()

    def serve(self) -> None:
        """Answer the host until it goes away."""
        while True:
            message, given, _, _ = socket.recv_fds(self._host, MAX_MESSAGE, len(GIVEN))
            if not message:
                os._exit(HOST_GONE)  # which ends the guests too
            ask = json.loads(message)
            _answer(self._host, self._obey(ask, given))

    def _obey(self, ask: Any, given: list[int]) -> dict[str, Any]:
        try:
            if ask["do"] == "fork":
                return {"pid": self._fork(given)}
            return {"code": self._reap(ask["pid"])}
        except OSError as exc:  # no room for one more process, most likely
            return {"error": str(exc)}

    def _fork(self, given: list[int]) -> int:
        """The number of a new guest."""
        with contextlib.ExitStack() as theirs:
            for fd in given:
                theirs.callback(os.close, fd)
            reading, writing = os.pipe()
            theirs.callback(os.close, reading)
            try:
                pid = os.fork()
            except OSError:
                os.close(writing)
                raise
            if pid == 0:
                self._be_guest(reading, [writing, *(child.life for child in self._children.values())], given)
            self._children[pid] = self._family.start(lambda: _Child(pid, writing))
        return pid

    def _be_guest(self, life: int, others: list[int], given: list[int]) -> NoReturn:
        """What the copy does: it lets go of all that is not its own, then it is a guest like any other."""
        try:
            os.setsid()
            for fd in (self._host.detach(), self._life, *others):
                os.close(fd)
            line_fd, *pipes = given
            self._captured.redirect(pipes)
            shield.keep_private(False)
            line, order = begin(line_fd, life)
            greet(line)

            from casparian_flow.guest import runner  # noqa: PLC0415 - imported long ago, once the path was open

            runner.run(line, order, self._imported)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def _imported(self, _parser: Any) -> ModuleType:
        self._captured.repeat()
        return self._module

    def _reap(self, pid: int) -> int:
        """The exit code of a guest that has died; what it left behind is ended."""
        child = self._children.pop(pid)
        _, status = os.waitpid(pid, 0)
        self._family.forget(child)
        os.close(child.life)
        self._family.end_strays()
        return os.waitstatus_to_exitcode(status)


def _answer(host: socket.socket, words: Any) -> None:
    host.send(json.dumps(words).encode())
