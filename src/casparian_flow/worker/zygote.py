"""The host's end of a zygote: starts it, has it fork guests, learns how they ended, ends it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from casparian_flow import guest
from casparian_flow.guest.family import FAMILY
from casparian_flow.guest.zygote import MAX_MESSAGE
from casparian_flow.worker.process_tree import kill_group, kill_tree, wait_until_dead

SHIM = str(Path(guest.__file__).with_name("__main__.py"))
ANSWER_SECONDS = 1.0
"""Within this time a zygote forks: a copy of a warm process takes a few milliseconds."""
_REAP_SECONDS = 10.0


class ZygoteLost(Exception):
    """A zygote has died, or does not do as it is told; the message says why."""


class Forked:
    """A guest that a zygote forked: what `subprocess.Popen` is for one of our own, as far as a guest needs it."""

    def __init__(self, zygote: Zygote, pid: int, handle: int) -> None:
        self._zygote = zygote
        self._handle = handle
        self.pid = pid
        self.returncode: int | None = None

    @property
    def was_orphaned(self) -> bool:
        """Whether its zygote died too, which may be why it did."""
        return not self._zygote.is_alive

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs. One thread at a time may ask."""
        return self._reap(0)

    def wait(self, timeout: float) -> int:
        """The exit code; raises `subprocess.TimeoutExpired` if it still runs after so many seconds."""
        if (code := self._reap(timeout)) is None:
            raise subprocess.TimeoutExpired("a forked guest", timeout)
        return code

    def _reap(self, seconds: float) -> int | None:
        if self.returncode is None and _is_ready(self._handle, seconds):
            self.returncode = self._zygote.reap(self.pid)
            os.close(self._handle)
        return self.returncode


class Zygote:
    """One warm process. `warm` comes first; `end` may be called from any thread, and everything else then raises.

    The life of the process ends with a pipe that only this object holds, so with this process at the latest, and that
    of its guests with it.
    """

    def __init__(self, order: dict[str, Any], within: Path | None) -> None:
        """Start it. Raises OSError."""
        self._lock = threading.Lock()
        self._guests: set[int] = set()
        self._is_broken = self._is_over = False
        with contextlib.ExitStack() as held, contextlib.ExitStack() as given:
            folder = tempfile.mkdtemp(prefix="casparian-zygote-", dir=within)
            held.callback(shutil.rmtree, folder, ignore_errors=True)
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            held.callback(self._control.close)
            given.callback(theirs.close)
            life, writing = os.pipe()
            given.callback(os.close, life)
            held.callback(os.close, writing)
            passed = (theirs.fileno(), life)
            self._process = FAMILY.start(
                lambda: subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                    [sys.executable, "-I", "-S", "-X", "utf8", SHIM, "zygote", *map(str, passed)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={},
                    cwd=folder,
                    pass_fds=passed,
                    start_new_session=True,
                )
            )
            self._held = held.pop_all()
        with contextlib.suppress(OSError):  # it died at once; whoever waits for its answer will see that
            self._control.send(json.dumps(order).encode())

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it can fork."""
        with self._lock:
            return self._lives()

    @property
    def is_idle(self) -> bool:
        """Whether it has no guest."""
        return not self._guests

    def warm(self, seconds: float) -> str:
        """Wait until it has imported what it needs; why it may not be forked, or an empty string.

        Raises ZygoteLost if it died or took longer.
        """
        unsafe = self._receive(seconds).get("unsafe")
        if not isinstance(unsafe, str):
            raise self._broken("its answer is none")
        return unsafe

    def fork(self, descriptors: Sequence[int]) -> Forked | None:
        """A guest with these descriptors (`guest.zygote.GIVEN`); None if there is no room for one.

        Raises ZygoteLost.
        """
        with self._lock:
            answer = self._ask({"do": "fork"}, descriptors)
            if "pid" not in answer:
                return None
            pid = answer["pid"]
            try:
                # Nobody else can get that number: dead guests stay in the table of processes until they are reaped.
                handle = os.pidfd_open(pid)
            except (OSError, TypeError, ValueError, OverflowError) as exc:
                raise self._broken(f"its guest cannot be found: {exc}") from exc
            if _parent_of(pid) != self.pid:  # it has run code of the parser, and may lie
                os.close(handle)
                raise self._broken(f"process {pid} is no guest of it")
            self._guests.add(pid)
        return Forked(self, pid, handle)

    def reap(self, pid: int) -> int:
        """The exit code of a guest that has died; that of SIGKILL if the zygote died before it could tell."""
        with self._lock:
            self._guests.discard(pid)
            try:
                return int(self._ask({"do": "reap", "pid": pid})["code"])
            except (ZygoteLost, KeyError, TypeError, ValueError, OverflowError):
                return -9

    def kill(self) -> None:
        """SIGKILL to it, and so to its guests: whoever waits for an answer is told that it died."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def end(self) -> None:
        """Kill it and its guests, wait for it, remove its folder. A second call does nothing."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            dying = kill_tree(self.pid) if self._process.poll() is None else []
            kill_group(self.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_REAP_SECONDS)
            wait_until_dead(dying, _REAP_SECONDS)
            FAMILY.forget(self._process)
            self._held.close()
        FAMILY.end_strays()

    def _lives(self) -> bool:
        return not (self._is_broken or self._is_over) and self._process.poll() is None

    def _ask(self, words: dict[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
        if not self._lives():
            raise ZygoteLost("it has died")
        try:
            socket.send_fds(self._control, [json.dumps(words).encode()], list(descriptors))
        except OSError as exc:
            raise self._broken(f"it cannot be reached: {exc}") from exc
        return self._receive(ANSWER_SECONDS)

    def _receive(self, seconds: float) -> dict[str, Any]:
        """What it says next."""
        self._control.settimeout(seconds)
        try:
            answer = json.loads(self._control.recv(MAX_MESSAGE))
        except TimeoutError as exc:
            raise self._broken(f"it did not answer within {seconds:g} seconds") from exc
        except OSError as exc:
            raise self._broken("it died") from exc
        except (ValueError, RecursionError) as exc:  # nothing at all is what a dead one says
            raise self._broken("it died, or says what makes no sense") from exc
        if not isinstance(answer, dict):
            raise self._broken("its answer is none")
        return answer

    def _broken(self, why: str) -> ZygoteLost:
        """It is of no use any more: what it says next may be the answer to something else."""
        self._is_broken = True
        return ZygoteLost(why)


def _parent_of(process: int) -> int:
    """The parent's number; 0 if the process is gone."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_ready(handle: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
