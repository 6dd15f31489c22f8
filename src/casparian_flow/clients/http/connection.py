"""One connection of a client: who is at its other end, and no patience for what never becomes a request."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from typing import Any

import h11
import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from casparian_flow.clients.http import problems
from casparian_flow.clients.http.problems import HttpRefused
from casparian_flow.core.errors import CasparianError, ScopeMissing, ServiceBusy

HEAD_SECONDS = 10.0
"""The head of a request that takes longer to arrive is not waited for."""
MOST_CONNECTIONS = 256
"""More clients than these are told so; more than twice as many are cut off."""
MOST_UNWANTED = 4 << 20
"""So much of a body that nobody reads any more is passed over before its sender is cut off."""
_CREDENTIALS = struct.Struct("3i")


class Connection(H11Protocol):
    """HTTP/1.1 for one client.

    Over a Unix socket only the user whose service it is, or root, is let in.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, dict(app_state), _loop)
        self._head_timer: asyncio.TimerHandle | None = None
        self._refusal: CasparianError | None = None
        self._untaken = 0
        self._unwanted = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the client in, or keep in mind why not: it is told when it asks, since before it does not listen."""
        super().connection_made(transport)
        self.app_state["abort"] = transport.abort
        uid = _peer(transport)
        self.app_state["uid"] = uid
        if uid not in (None, 0, os.getuid()):
            self._refusal = ScopeMissing("this service belongs to another user", why=f"you are user {uid}")
        elif len(self.connections) > MOST_CONNECTIONS:
            self._refusal = ServiceBusy("too many clients are connected")
        if len(self.connections) > 2 * MOST_CONNECTIONS:
            transport.abort()
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what the client sent; it gets no more time for a head that is not whole yet."""
        if self._refusal is not None:
            self._refuse(self._refusal)
            return
        self._unwanted = self._unwanted + len(data) if self.conn.our_state is h11.DONE else 0
        if self._unwanted > MOST_UNWANTED:
            self.transport.abort()
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._head_timer is None:
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """Be ready for the client's next request."""
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()

    def timeout_keep_alive_handler(self) -> None:
        """Hang up on a client that asks nothing more; at once if it did not take its answer either."""
        untaken = self.transport.get_write_buffer_size()
        if untaken and untaken != self._untaken:
            self._untaken = untaken
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif untaken:
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and hang up."""
        error = sys.exception()
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(HttpRefused(status, "that is not an HTTP request", why=str(error or msg)[:200]))

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._refuse(HttpRefused(408, "the request did not arrive in time"))

    def _refuse(self, error: CasparianError) -> None:
        problem = problems.problem_of(error)
        headers = [("content-type", problems.MEDIA_TYPE), ("connection", "close")]
        try:
            head = self.conn.send(h11.Response(status_code=problem.status, headers=headers, reason=problem.title))
            body = self.conn.send(h11.Data(data=msgspec.json.encode(problem)))
            end = self.conn.send(h11.EndOfMessage())
        except h11.LocalProtocolError:  # an answer is under way already: it is cut off
            self.transport.abort()
            return
        self.transport.write(b"".join(part for part in (head, body, end) if part))
        self.transport.close()


def _peer(transport: asyncio.Transport) -> int | None:
    """The user at the other end, as the kernel says; None where the other end may be another machine."""
    sock: socket.socket = transport.get_extra_info("socket")
    if sock.family != socket.AF_UNIX:
        return None
    _pid, uid, _gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return int(uid)
