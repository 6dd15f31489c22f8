"""Runs the control API in a thread of its own, on sockets that it is given."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import stat
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from casparian_flow import logs
from casparian_flow.clients.http.connection import HEAD_SECONDS, Connection
from casparian_flow.clients.http.gate import LARGEST_HEAD, is_loopback
from casparian_flow.core.errors import CasparianError, HomeBusy, UsageError

BACKLOG = 128
KEEP_ALIVE_SECONDS = 15
STOP_SECONDS = 5
LONGEST_SOCKET_PATH = 100

log = logs.get_log(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, and how TLS is spoken on it, if it is."""

    socket: socket.socket
    tls: ssl.SSLContext | None = None


def unix_listener(path: Path) -> Listener:
    """A socket at that path, for its owner alone; the folder must be its owner's alone too.

    A socket that nobody answers at any more is replaced. Raises HomeBusy if somebody does.
    """
    if stat.S_IMODE(path.parent.stat().st_mode) & 0o077:
        raise UsageError(
            "others can reach into the folder of the socket", where=str(path.parent), fix=f"chmod 700 {path.parent}"
        )
    if len(bytes(path)) > LONGEST_SOCKET_PATH:
        raise UsageError("the path of the socket is too long", where=str(path), why=f"over {LONGEST_SOCKET_PATH} bytes")
    _remove_dead(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(str(path))
        path.chmod(0o600)
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return Listener(made)


def tcp_listener(host: str, port: int, tls: ssl.SSLContext | None) -> Listener:
    """A socket at that address. Raises UsageError where tokens would cross a network unprotected."""
    if tls is None and not is_loopback(host):
        raise UsageError(
            "over a network the API needs TLS",
            where=host,
            why="tokens would be readable on the way",
            fix="--tls-cert FILE --tls-key FILE",
        )
    try:
        return Listener(socket.create_server((host, port), family=_family(host), backlog=BACKLOG), tls)
    except OSError as exc:
        raise UsageError(f"{host}:{port} cannot be listened at", why=exc.strerror or str(exc)) from exc


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """How this service proves who it is: TLS 1.2 or newer. Raises UsageError if the files do not do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as exc:
        raise UsageError("the certificate or its key cannot be used", where=str(certificate), why=str(exc)) from exc
    return context


class Running:
    """A server that takes requests until it is stopped."""

    def __init__(self, server: _Server, listeners: Sequence[Listener]) -> None:
        self._server = server
        self._listeners = listeners
        self._thread = threading.Thread(target=self._run, name="control-api", daemon=True)
        self._failed: BaseException | None = None

    def start(self) -> None:
        """Return once requests are taken; raises what keeps that from happening."""
        self._thread.start()
        self._server.is_up.wait()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Take no more requests, let those that run end for a while, and return when the sockets are closed."""
        self._server.should_exit = True
        self._thread.join()
        for listener in self._listeners:
            listener.socket.close()

    @property
    def is_alive(self) -> bool:
        """Whether it still takes requests."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve())
        except BaseException as exc:  # whoever started it is told
            self._failed = exc
            log.error("api.ended", why=str(exc))
        finally:
            self._server.is_up.set()


def serve(app: ASGIApp, listeners: Sequence[Listener]) -> Running:
    """Answer requests on these sockets in a thread of its own; signals stay with the main thread."""
    config = uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
    _hear_uvicorn()
    running = Running(_Server(config, listeners), listeners)
    running.start()
    return running


class _Server(uvicorn.Server):
    """uvicorn's server; TLS is a matter of the socket here, since a Unix socket has none."""

    def __init__(self, config: uvicorn.Config, listeners: Sequence[Listener]) -> None:
        super().__init__(config)
        self.is_up = threading.Event()
        self._given = listeners

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        make = partial(Connection, self.config, self.server_state, self.lifespan.state)
        self.servers = [
            await loop.create_server(
                make,
                sock=listener.socket,
                ssl=listener.tls,
                backlog=BACKLOG,
                ssl_handshake_timeout=None if listener.tls is None else HEAD_SECONDS,
            )
            for listener in self._given
        ]
        self.started = True
        self.is_up.set()


class _Relay(logging.Handler):
    """Says in our log what uvicorn says in its own."""

    def emit(self, record: logging.LogRecord) -> None:
        log.warning("api.said", message=record.getMessage())


def _hear_uvicorn() -> None:
    theirs = logging.getLogger("uvicorn")
    theirs.propagate = False
    theirs.setLevel(logging.ERROR)
    theirs.handlers = [_Relay()]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _remove_dead(path: Path) -> None:
    if not path.is_socket():
        if path.exists() or path.is_symlink():
            raise UsageError("something else stands where the socket should be", where=str(path))
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as exc:
            raise _busy(path) from exc
        else:
            raise _busy(path)


def _busy(path: Path) -> CasparianError:
    return HomeBusy("somebody answers at the socket already", where=str(path))
