"""A line between two places on this machine that can be cut and mended: a proxy, or two network namespaces."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

CHUNK = 1 << 16


class Proxy:
    """Passes bytes on between whoever connects and a port, both ways; while it is cut it passes nothing on."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._flows = threading.Event()
        self._flows.set()
        self._is_over = False
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._run(self._accept)

    def cut(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self._flows.clear()

    def mend(self) -> None:
        """What was on its way arrives late."""
        self._flows.set()

    def close(self) -> None:
        """End it; no thread of it is left."""
        self._is_over = True
        self._flows.set()
        for each in [self._listener, *self._sockets]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in list(self._threads):
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._is_over:
                near = self._listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self._port))
                self._sockets += [near, far]
                self._run(self._pass, near, far)
                self._run(self._pass, far, near)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(CHUNK):
                self._flows.wait()
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _run(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


class Namespaces:
    """Two networks of their own, joined by one cable."""

    near_address = "198.18.77.1"

    def __init__(self, name: str) -> None:
        self.near, self.far = f"{name}n", f"{name}f"

    def through(self, space: str) -> tuple[str, ...]:
        """What a command begins with to run there."""
        return ("ip", "netns", "exec", space)

    def cut(self) -> None:
        """Unplug the cable."""
        _ip("-n", self.far, "link", "set", "cable", "down")

    def mend(self) -> None:
        """Plug it in again."""
        _ip("-n", self.far, "link", "set", "cable", "up")


@contextmanager
def namespaces() -> Iterator[Namespaces]:
    """Two networks for the length of a block; skips the test, with the reason, where that is not permitted."""
    made = Namespaces(f"cf{os.getpid()}")
    with ExitStack() as stack:
        try:
            for space in (made.near, made.far):
                _ip("netns", "add", space)
                stack.callback(_ip, "netns", "delete", space)
            _ip("link", "add", "cable", "netns", made.near, "type", "veth", "peer", "name", "cable", "netns", made.far)
            for space, address in ((made.near, made.near_address), (made.far, "198.18.77.2")):
                _ip("-n", space, "address", "add", f"{address}/30", "dev", "cable")
                _ip("-n", space, "link", "set", "lo", "up")
                _ip("-n", space, "link", "set", "cable", "up")
        except (OSError, subprocess.CalledProcessError) as exc:
            said = getattr(exc, "stderr", "") or str(exc)
            pytest.skip(f"this machine makes no network namespaces: {said.strip()}")
        yield made


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20)
