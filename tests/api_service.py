"""The control API over a home of its own, and a client that says exactly what a test says."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from casparian_flow.clients.control import Control
from casparian_flow.clients.http.app import make_app
from casparian_flow.clients.http.asker import Asker
from casparian_flow.clients.http.event_log import EventLog
from casparian_flow.clients.http.gate import Gate, hosts_for
from casparian_flow.clients.http.health import Vitals
from casparian_flow.clients.http.metrics import Metrics
from casparian_flow.clients.http.server import Listener, Running, serve, tcp_listener, unix_listener
from casparian_flow.clients.http.service import Door, Service
from casparian_flow.operations.doing.reading import KeptReadings, open_reading
from casparian_flow.operations.doing.service.doorkeeper import Doorkeeper
from casparian_flow.settings import Home, Settings
from casparian_flow.store.database import Database
from casparian_flow.wiring import open_acting


@dataclass(frozen=True)
class Said:
    """What the service answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, with the standard library alone."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


@dataclass
class Api:
    """A running service, and how to ask it."""

    home: Home
    service: Service
    running: Running
    socket: Path
    port: int
    askers: list[Asker] = field(default_factory=list)

    def connection(self, *, tcp: bool = False) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20) if tcp else UnixConnection(self.socket)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        tcp: bool = False,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> Said:
        """One request; a body that is no bytes is sent as JSON."""
        given = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        connection = self.connection(tcp=tcp)
        try:
            connection.request(method, path, body, given)
            answer = connection.getresponse()
            return Said(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **given: Any) -> Said:
        return self.ask("GET", path, **given)

    def change(self, path: str, body: Any, key: str, **given: Any) -> Said:
        """One change under an Idempotency-Key."""
        headers = {"Idempotency-Key": key, **given.pop("headers", {})}
        return self.ask("POST", path, body, headers=headers, **given)

    def raw(self, data: bytes, *, tcp: bool = False) -> bytes:
        """Everything that comes back for these bytes until the service hangs up."""
        with self.socket_to(tcp=tcp) as sock:
            sock.sendall(data)
            found = b""
            while part := sock.recv(65536):
                found += part
        return found

    def socket_to(self, *, tcp: bool = False) -> socket.socket:
        sock = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", self.port) if tcp else str(self.socket))
        return sock


def a_control(home: Home, asker: Asker, readings: KeptReadings | None = None) -> Door:
    """The door of an embedded command; with readings, one that keeps its connections."""
    settings = Settings()
    return Control(
        partial(readings.open, settings, asker.cwd) if readings else partial(open_reading, home, settings, asker.cwd),
        lambda report: open_acting(home, settings, asker.cwd, report, wait_seconds=20),
    )


def a_service(home: Home, door_for: Any = None, **more: Any) -> Service:
    """A service over a home that exists; without another door, that of embedded commands."""
    doorkeeper = Doorkeeper(Database(home.state), time.time_ns)
    return Service(
        gate=Gate(home=home.path, hosts=hosts_for("127.0.0.1"), doorkeeper=doorkeeper),
        control_for=door_for or partial(a_control, home),
        events=EventLog("7"),
        metrics=Metrics(),
        vitals=lambda: Vitals(silent_seconds=0.0, workers=1),
        **more,
    )


@contextmanager
def running_api(folder: Path, door_for: Any = None, **more: Any) -> Iterator[Api]:
    """The API over a new home in the folder, on a Unix socket and on loopback."""
    home = Home(folder / "home")
    home.path.mkdir(mode=0o700, exist_ok=True)
    readings = KeptReadings(home)
    service = a_service(home, door_for or partial(a_control, home, readings=readings), **more)
    path = home.path / "api.sock"
    tcp: Listener = tcp_listener("127.0.0.1", 0, None)
    running = serve(make_app(service), [unix_listener(path), tcp])
    try:
        yield Api(home, service, running, path, tcp.socket.getsockname()[1])
    finally:
        running.stop()
        service.close()
        readings.close()
        service.gate.doorkeeper.close()
