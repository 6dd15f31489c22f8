"""Where a sentinel listens, and one connection to it."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from casparian_flow.core.errors import ConnectionLost, SentinelMissing, UsageError

TOKEN_VARIABLE = "CASPARIAN_TOKEN"  # noqa: S105 - its name, not its value
AUTHORITY_VARIABLE = "CASPARIAN_TLS_CA"
CONNECT_SECONDS = 10.0
_CREDENTIALS = struct.Struct("3i")


class Endpoint(Protocol):
    """A place where a sentinel may be reached."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine, so that paths mean the same there."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What every request there must carry."""

    def connect(self) -> http.client.HTTPConnection:
        """A fresh connection; raises SentinelMissing when nobody answers, and ConnectionLost when it is not safe."""


@dataclass(frozen=True, slots=True)
class SocketEndpoint:
    """The socket in a home. The kernel says who is at the other end, so no token is needed."""

    path: Path

    @property
    def name(self) -> str:
        """The path of the socket."""
        return str(self.path)

    @property
    def is_here(self) -> bool:
        """It is."""
        return True

    @property
    def headers(self) -> Mapping[str, str]:
        """Nothing more."""
        return {}

    def connect(self) -> http.client.HTTPConnection:
        """A fresh connection."""
        connection = _SocketConnection(self.path)
        try:
            connection.connect()
        except OSError as exc:
            raise SentinelMissing("no sentinel answers", where=self.name, why=exc.strerror or str(exc)) from exc
        return connection

    def peer(self) -> int | None:
        """The id of the process that listens there, None where nobody does or it belongs to somebody else."""
        try:
            connection = self.connect()
        except SentinelMissing:
            return None
        try:
            sent = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        finally:
            connection.close()
        pid, uid, _ = _CREDENTIALS.unpack(sent)
        return pid if uid in (os.getuid(), 0) else None


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(CONNECT_SECONDS)
            self.sock.connect(os.fspath(self._path))
            self.sock.settimeout(self.timeout if isinstance(self.timeout, float) else None)
        except OSError:
            self.sock.close()
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlEndpoint:
    """A sentinel on another machine, over TLS and with a token."""

    url: str
    host: str
    port: int
    token: str
    authority: str | None

    @property
    def name(self) -> str:
        """Its address."""
        return self.url

    @property
    def is_here(self) -> bool:
        """It may be anywhere."""
        return False

    @property
    def headers(self) -> Mapping[str, str]:
        """The token."""
        return {"Authorization": f"Bearer {self.token}"}

    def connect(self) -> http.client.HTTPConnection:
        """A fresh connection, with the certificate checked."""
        try:
            context = ssl.create_default_context(cafile=self.authority)
        except OSError as exc:
            raise UsageError(
                "the certificates to trust cannot be read", where=str(self.authority), why=str(exc)
            ) from exc
        connection = http.client.HTTPSConnection(self.host, self.port, context=context, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
            connection.sock.settimeout(None)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except ssl.SSLError as exc:
            connection.close()
            raise ConnectionLost(
                "the sentinel could not prove who it is",
                where=self.url,
                why=getattr(exc, "verify_message", "") or str(exc),
                fix=f"name the certificate to trust in {AUTHORITY_VARIABLE}",
            ) from exc
        except OSError as exc:
            connection.close()
            raise SentinelMissing("no sentinel answers", where=self.url, why=exc.strerror or str(exc)) from exc
        return connection


def endpoint_at(url: str, env: Mapping[str, str]) -> UrlEndpoint:
    """The endpoint that a person named; the token and the certificate come from the environment."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError as exc:
        raise UsageError("that is no address of a sentinel", where=url, why=str(exc)) from exc
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise UsageError("that is no address of a sentinel", where=url, why="it has the form https://HOST:PORT")
    if not (token := env.get(TOKEN_VARIABLE)):
        raise UsageError(
            "a sentinel on another machine asks for a token",
            where=url,
            fix=f"export {TOKEN_VARIABLE}=…, as casparian token add NAME printed it there",
        )
    return UrlEndpoint(
        url=url, host=parts.hostname, port=port, token=token, authority=env.get(AUTHORITY_VARIABLE) or None
    )
