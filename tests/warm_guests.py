"""Guests that are forked off a warm interpreter, for tests that are not about how guests start."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from casparian_flow.worker.environment import site_paths
from casparian_flow.worker.guest import Process, Start
from casparian_flow.worker.zygote import MAX_MESSAGE, SHIM, Forked, Zygote

PROGRAM = Path(__file__).with_name("guest_nursery.py")
LONGEST_SECONDS = 60.0
"""On a busy machine a fork may take longer than a run would wait for a zygote, which it can do without."""


@cache
def nursery() -> str:
    """The address of the warm interpreter of this process, which ends with it."""
    folder = TemporaryDirectory(prefix="cf")
    address = f"{folder.name}/n"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-X", "utf8", PROGRAM, SHIM, address, *site_paths()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={},
        cwd="/",
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    atexit.register(folder.cleanup)
    atexit.register(process.communicate)
    return address


class _Keeper(Zygote):
    """Our own process there; it ends with its connection, and so with this process at the latest."""

    def __init__(self, address: str) -> None:
        self._lock = threading.Lock()
        self._guests: set[int] = set()
        self._is_broken = False
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.connect(address)
        self._pid: int = json.loads(self._control.recv(MAX_MESSAGE))["pid"]

    @property
    def pid(self) -> int:
        """Its number."""
        return self._pid

    def _lives(self) -> bool:
        return not self._is_broken

    def _receive(self, _seconds: float) -> dict[str, Any]:
        """What it says next; given up too early, every later test of this process would fail with this one."""
        return super()._receive(LONGEST_SECONDS)


class _Fresh:
    """Its guest, which says of itself what one in a fresh interpreter does."""

    def __init__(self, forked: Forked) -> None:
        self.pid, self.poll, self.wait = forked.pid, forked.poll, forked.wait


@cache
def _keeper(address: str, _process: int) -> _Keeper:
    return _Keeper(address)


def pid_here(address: str) -> int:
    """The number of the process there that forks the guests of this one."""
    return _keeper(address, os.getpid()).pid


def forked_at(address: str) -> Start:
    """What stands for `casparian_flow.worker.guest._start_fresh`, with the interpreter at an address."""

    def start(passed: Sequence[int], _held: ExitStack) -> Process:
        forked = _keeper(address, os.getpid()).fork(passed)
        assert forked is not None
        return _Fresh(forked)

    return start
