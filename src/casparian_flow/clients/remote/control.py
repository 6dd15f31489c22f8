"""The door of a client: a name and a request in, the reply of a sentinel out."""

from __future__ import annotations

import http.client
import math
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import msgspec

from casparian_flow.clients.control import unheard
from casparian_flow.clients.http.paths import CWD_HEADER, EVENTS_PATH, path_of
from casparian_flow.clients.remote.event_stream import Event, read_events
from casparian_flow.clients.remote.problems import error_of
from casparian_flow.core.errors import CasparianError, ConnectionLost, SentinelMissing, SentinelStopped
from casparian_flow.operations.index import find
from casparian_flow.operations.registry import Effect, Operation, Reply, Request

if TYPE_CHECKING:
    import socket

    from casparian_flow.clients.remote.endpoint import Endpoint
    from casparian_flow.operations.context import Report

AnyOperation = Operation[Any, Any]
JSON = "application/json"
EVENTS = "text/event-stream"
SILENCE_SECONDS = 60.0
"""A stream that is silent for so long is broken: the sentinel says every 15 s that it is there."""
IF_VERSION = "if_version"
IN_USE = "key-in-use"
AGAIN_SECONDS = 0.5
"""How long to wait before asking what became of a change whose answer was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One request as it is sent, once or again. It waits so many seconds for each piece of the answer."""

    operation: AnyOperation
    path: str
    body: bytes
    headers: dict[str, str]
    patience: float | None


class _Broken(ConnectionLost):
    """The connection ended where an answer was due: asking again can help."""


class RemoteControl:
    """Asks the operations of the home that a sentinel holds. The same methods as `clients.control.Control`.

    A change carries a key, so that it is asked for again after a broken connection and still done once.
    """

    def __init__(self, endpoint: Endpoint, cwd: Path, *, seconds: float | None = None) -> None:
        self._endpoint = endpoint
        self._headers = dict(endpoint.headers)
        if endpoint.is_here:
            self._headers[CWD_HEADER] = quote_from_bytes(bytes(cwd))
        self._seconds = seconds

    def ask(self, name: str, request: Request, report: Report = unheard) -> Reply:
        """The operation's reply, or its error. Raises ConnectionLost when the answer never came."""
        return self._asked(find(name), request, report, is_tried=False)

    def attempt(self, name: str, request: Request) -> Reply:
        """The reply that `ask` would give, with nothing changed; only for operations that may be tried."""
        operation = find(name)
        if not operation.may_be_tried:
            raise ValueError(f"{name} changes more than can be taken back")
        return self._asked(operation, request, unheard, is_tried=True)

    @contextmanager
    def following(self, seconds: float | None) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
        """Every event of the sentinel with its values, from the beginning of the block for so many seconds.

        Raises SentinelStopped when the sentinel ends, and ConnectionLost when it is not heard any more.
        """
        connection = self._endpoint.connect()
        try:
            sock = connection.sock
            with self._broken_is_lost():
                sock.settimeout(SILENCE_SECONDS)
                connection.request("GET", EVENTS_PATH, headers={**self._headers, "Accept": EVENTS})
                answer = connection.getresponse()
                refusal = b"" if answer.status == http.client.OK else answer.read()
            if refusal:
                raise error_of(refusal, self._endpoint.name)
            yield self._happening(sock, answer, math.inf if seconds is None else time.monotonic() + seconds)
        finally:
            connection.close()

    def _happening(
        self, sock: socket.socket, answer: http.client.HTTPResponse, until: float
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        events = read_events(answer)
        while (left := until - time.monotonic()) > 0:
            sock.settimeout(min(left, SILENCE_SECONDS))
            with self._broken_is_lost():
                try:
                    event = next(events, None)
                except TimeoutError:
                    if left < SILENCE_SECONDS:
                        return
                    raise
            match event:
                case None:
                    raise _Broken("the sentinel is not heard any more", where=self._endpoint.name)
                case Event(name="end"):
                    raise SentinelStopped("the sentinel ended", where=self._endpoint.name)
                case Event(name=name) if name:
                    yield name, msgspec.json.decode(event.data)

    def _asked(self, operation: AnyOperation, request: Request, report: Report, *, is_tried: bool) -> Reply:
        question = self._question(operation, request, is_tried=is_tried)
        was_lost = False
        while True:
            try:
                return self._once(question, report)
            except _Broken as broken:
                if was_lost:
                    raise _untold(operation, broken) from broken
                was_lost = True
            except SentinelMissing as missing:
                if not was_lost:
                    raise
                raise _untold(operation, missing) from missing
            except CasparianError as exc:
                # Only where the answer to this very change was lost: it is still being done, and will be told.
                if not was_lost or exc.code != IN_USE or exc.why:
                    raise
                time.sleep(AGAIN_SECONDS)

    def _question(self, operation: AnyOperation, request: Request, *, is_tried: bool) -> _Question:
        is_read = operation.effect is Effect.READ
        headers = {**self._headers, "Content-Type": JSON, "Accept": JSON if is_read else EVENTS}
        if not (is_read or is_tried):
            headers["Idempotency-Key"] = secrets.token_hex(16)
        if IF_VERSION in request.__struct_fields__:
            headers["If-Match"] = "*"  # a version that a person named stands in the request itself
        return _Question(
            operation=operation,
            path=path_of(operation.name) + ("?dry_run=true" if is_tried else ""),
            body=msgspec.json.encode(request),
            headers=headers,
            patience=self._seconds if is_read else SILENCE_SECONDS,
        )

    def _once(self, question: _Question, report: Report) -> Reply:
        connection = self._endpoint.connect()
        try:
            with self._broken_is_lost():
                connection.sock.settimeout(question.patience)
                connection.request("POST", question.path, body=question.body, headers=question.headers)
                answer = connection.getresponse()
                is_followed = answer.headers.get_content_type() == EVENTS
                given = b"" if is_followed else answer.read()
            if is_followed:
                return self._followed(question.operation, answer, report)
            if answer.status != http.client.OK:
                raise error_of(given, self._endpoint.name)
            return self._reply(question.operation, given)
        finally:
            connection.close()

    def _followed(self, operation: AnyOperation, answer: http.client.HTTPResponse, report: Report) -> Reply:
        events = read_events(answer)
        while True:
            with self._broken_is_lost():
                event = next(events, None)
            match event:
                case None:
                    raise _Broken("the sentinel ended before it answered", where=self._endpoint.name)
                case Event(name="reply"):
                    return self._reply(operation, event.data)
                case Event(name="problem"):
                    raise error_of(event.data, self._endpoint.name)
                case Event(name=name) if name:
                    report(event.name, msgspec.json.decode(event.data))

    def _reply(self, operation: AnyOperation, data: bytes) -> Reply:
        try:
            reply: Reply = msgspec.json.decode(data, type=operation.reply)
        except (msgspec.DecodeError, UnicodeError) as exc:
            raise ConnectionLost(
                "the sentinel's answer is not one that this version understands",
                where=self._endpoint.name,
                why=str(exc),
                fix="run the same version here and there: casparian version",
            ) from exc
        return reply

    @contextmanager
    def _broken_is_lost(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as exc:
            raise ConnectionLost("the sentinel is silent", where=self._endpoint.name, why="it may be stopped") from exc
        except (OSError, http.client.HTTPException) as exc:
            why = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
            raise _Broken("the connection to the sentinel broke", where=self._endpoint.name, why=why) from exc


def _untold(operation: AnyOperation, error: CasparianError) -> ConnectionLost:
    """The connection is lost for good: what is known about what was asked."""
    if operation.effect is Effect.READ:
        why = "nothing was shown, since what was read before may no longer be so"
    else:
        why = "whether it was done is not known; what was recorded is kept, and the sentinel goes on when it is back"
    return ConnectionLost(
        error.message, where=error.where, why=f"{error.why}; {why}" if error.why else why, fix=error.fix
    )
