"""The command `casparian` in processes of its own that need not load the product: they are forked off one that has.

Run as a program it is that process (`serve ADDRESS GUESTS`), or whoever asks it for a command (`ask ADDRESS WORD...`).
It answers requests at a socket; each brings the three standard streams of a command. What it forks is what a new
process is to everybody else: a session, streams, a folder and variables of its own, and an exit code at its end. Only
modules are there already.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

LAZY = ("duckdb", "pyarrow.parquet", "pyarrow.dataset", "pyarrow.csv", "rich.table", "rich.text", "rich.console")
"""Loaded by the product when they are needed."""
TOO_LONG = 1 << 20


class WarmProcess:
    """What has loaded the product; ends with whoever started it. `address` is its socket."""

    def __init__(self, folder: Path, source: Path, guests: str) -> None:
        """With what is importable from `source`; guests come from the interpreter at the address `guests`."""
        self.address = str(folder / "s")
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(source)}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "serve", self.address, guests],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """Nothing is asked of it any more."""
        self._process.communicate()

    def __call__(
        self,
        arguments: Sequence[str],
        streams: Sequence[int],
        environment: Mapping[str, str],
        folder: Path,
        timeout: float | None = None,
    ) -> int:
        """Run a command to its end: its exit code. Raises TimeoutError, and then nothing of the command is left."""
        return ask(self.address, arguments, streams, environment, folder, timeout)


def ask(
    address: str,
    arguments: Sequence[str],
    streams: Sequence[int],
    environment: Mapping[str, str],
    folder: Path | str,
    timeout: float | None = None,
) -> int:
    """The same, of the process at an address."""
    request = json.dumps([list(arguments), dict(environment), str(folder)]).encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(timeout)
        line.connect(address)
        socket.send_fds(line, [len(request).to_bytes(4, "big")], list(streams))
        line.sendall(request)
        answer = line.recv(16)
    if not answer:
        raise ConnectionError(f"nothing came of {arguments}")
    return int(answer)


class _Server:
    """Forks, waits for what it forked, and tells the codes."""

    def __init__(self, address: str) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(address)
        self._listener.listen()
        self._waking, waker = os.pipe()
        os.set_blocking(waker, False)
        self._waker = waker
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(waker)
        self._running: dict[int, socket.socket] = {}

    def serve(self) -> Sequence[str] | None:
        """Returns nothing when the starter has gone, and in a forked process the arguments of its command."""
        while True:
            ready, _, _ = select.select([0, self._listener, self._waking, *self._running.values()], [], [])
            if 0 in ready:
                for pid in self._running:
                    _end(pid)
                return None
            if self._waking in ready:
                os.read(self._waking, 4096)
            self._tell()
            for pid, line in list(self._running.items()):
                if line in ready:  # whoever asked has gone
                    _end(pid)
                    del self._running[pid]
                    line.close()
            if self._listener in ready and (arguments := self._fork()) is not None:
                return arguments

    def _tell(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if line := self._running.pop(pid, None):
                with line, suppress(BrokenPipeError):
                    line.sendall(str(os.waitstatus_to_exitcode(status)).encode())

    def _fork(self) -> Sequence[str] | None:
        line, _ = self._listener.accept()
        size, streams, _, _ = socket.recv_fds(line, 4, 3)
        request = b""
        while len(request) < int.from_bytes(size, "big"):
            request += line.recv(TOO_LONG)
        arguments, environment, folder = json.loads(request)
        if pid := os.fork():
            self._running[pid] = line
            for stream in streams:
                os.close(stream)
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        for each in (line, self._listener, *self._running.values()):
            each.close()
        os.close(self._waking)
        os.close(self._waker)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        result: list[str] = arguments
        return result


def _end(command: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(command, signal.SIGKILL)


def _load() -> None:
    package = importlib.import_module("casparian_flow")
    for module in pkgutil.walk_packages(package.__path__, "casparian_flow."):
        if not module.name.endswith("__main__") and ".parsers." not in module.name:
            importlib.import_module(module.name)
    for name in LAZY:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _take_guests_from(address: str) -> None:
    from casparian_flow.worker import guest
    from warm_guests import forked_at

    guest._start_fresh = forked_at(address)


def _command(arguments: Sequence[str]) -> NoReturn:
    """Becomes the command; what was loaded before is not taken to pieces at the end, which takes longer than most."""
    from casparian_flow.clients.cli.root import main

    sys.argv = ["casparian", *arguments]
    for number, name in enumerate(("stdin", "stdout", "stderr")):  # those that there are were made for other files
        old = getattr(sys, name)
        setattr(sys, name, open(number, old.mode, encoding=old.encoding, errors=old.errors, closefd=False))  # noqa: SIM115
    code: object = 70
    try:
        main()
    except SystemExit as exc:
        code = exc.code
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    role, at, *words = sys.argv[1:]
    if role == "ask":
        sys.exit(ask(at, words, (0, 1, 2), os.environ, Path.cwd()))
    _load()
    _take_guests_from(*words)
    server = _Server(at)
    os.write(1, b"ready\n")
    if (given := server.serve()) is not None:
        _command(given)
    os._exit(0)
