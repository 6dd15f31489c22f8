"""Asks one operation for one HTTP request, and once only where it changes something."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from casparian_flow.clients.control import unheard
from casparian_flow.clients.http import problems, sse
from casparian_flow.clients.http.asker import Asker, scope_for, scope_of
from casparian_flow.clients.http.decode import AnyOperation, from_body, from_query
from casparian_flow.clients.http.event_log import EventLog
from casparian_flow.clients.http.gate import require
from casparian_flow.clients.http.problems import HttpRefused
from casparian_flow.clients.http.service import Service
from casparian_flow.core.errors import CasparianError, KeyInUse, ServiceBusy, UsageError
from casparian_flow.core.hashing import digest_of
from casparian_flow.operations.context import Report
from casparian_flow.operations.doing.service.doorkeeper import Answered
from casparian_flow.operations.query.file_format import STANDARD_OUTPUT
from casparian_flow.operations.registry import Effect, Request

JSON = "application/json"
LARGEST_BODY = 1 << 20
BODY_SECONDS = 20.0
"""A body that takes longer to arrive is not waited for."""
LONGEST_KEY = 200
IF_VERSION = "if_version"
DRY_RUN = b"dry_run=true"
STREAM_EVENTS = 1_000
UNTOLD = KeyInUse(
    "this was done already, and its answer held a secret that is told once",
    where="Idempotency-Key",
    why="secrets are kept nowhere",
    fix="take back what was made, then ask with a new key",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How an operation ended: a status and a body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The HTTP answer."""
        media_type = JSON if self.status < 400 else problems.MEDIA_TYPE
        return Response(self.body, self.status, dict(self.headers), media_type)

    def frame(self) -> bytes:
        """The last frame of a stream."""
        return sse.frame("reply" if self.status < 400 else "problem", self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One operation that one asker asks. `key` is the Idempotency-Key, which every change has."""

    service: Service
    operation: AnyOperation
    asker: Asker
    request: Request
    key: str | None
    is_tried: bool

    def answer(self, report: Report) -> Ended:
        """Do it, unless it was done before under the same key. Runs in a thread."""
        if self.key is None:
            return self._do(report)[0]
        doorkeeper = self.service.gate.doorkeeper
        asked = self.operation.name.encode(), msgspec.json.encode(self.request, order="deterministic")
        try:
            known = doorkeeper.begin(self.key, digest_of(*asked))
        except CasparianError as exc:
            return failed(exc)
        if known is not None:
            return Ended(known.status, known.reply, {"Idempotency-Replayed": "true"})
        ended, is_kept = self._do(report)
        if is_kept:
            kept = failed(UNTOLD) if self.operation.tells_secret and ended.status == 200 else ended
            doorkeeper.finish(self.key, Answered(kept.status, kept.body))
        else:
            doorkeeper.forget(self.key)
        return ended

    def _do(self, report: Report) -> tuple[Ended, bool]:
        """How it ended, and whether asking again must end alike: not where another try can help."""
        try:
            door = self.service.control_for(self.asker)
            if self.is_tried:
                reply: object = door.attempt(self.operation.name, self.request)
            else:
                reply = door.ask(self.operation.name, self.request, report)
            return Ended(200, msgspec.json.encode(reply), _tag(self.operation, reply)), True
        except CasparianError as exc:
            return failed(exc), not exc.transient
        except Exception as exc:  # the log has it; the asker gets its id
            return failed(exc), True


def _tag(operation: AnyOperation, reply: object) -> dict[str, str]:
    """The entity tag of the state that a reply shows."""
    return {"ETag": f'"{attrgetter(operation.version_at)(reply)}"'} if operation.version_at else {}


def failed(error: BaseException) -> Ended:
    """The answer about an error."""
    problem = problems.problem_of(error)
    return Ended(problem.status, msgspec.json.encode(problem), problems.headers_of(error))


async def ask(service: Service, operation: AnyOperation, http: HttpRequest) -> Any:
    """Answer one request for an operation: with its reply, or with its events and then its reply."""
    asker: Asker = http.scope["state"]["asker"]
    require(asker, scope_of(operation))
    request = _with_version(operation, http, await _request(operation, http))
    require(asker, scope_for(operation, request))
    if any(getattr(request, name) == STANDARD_OUTPUT for name in operation.writes):
        raise UsageError("a service has no standard output to write to", where=operation.writes[-1])
    is_tried = http.method == "POST" and _is_tried(operation, http)
    question = Question(
        service=service,
        operation=operation,
        asker=asker,
        request=request,
        key=None if operation.effect is Effect.READ or is_tried else _key(asker, http),
        is_tried=is_tried,
    )
    threads = service.readers if operation.effect is Effect.READ else service.actors
    if sse.MEDIA_TYPE not in http.headers.get("accept", ""):
        ended = await threads.run(partial(question.answer, unheard))
        return ended.response()
    if service.streams >= service.most_streams:
        raise ServiceBusy("too many clients are sent events already")
    log = EventLog("", most=STREAM_EVENTS)
    asking = asyncio.create_task(threads.run(partial(question.answer, log.append)))
    asking.add_done_callback(lambda _task: log.nudge())
    return service.stream(sse.follow(log, sse.Choice(after=0), lambda: _last_frame(asking)))


def _last_frame(asking: asyncio.Task[Ended]) -> bytes | None:
    if not asking.done():
        return None
    error = asking.exception()
    return (asking.result() if error is None else failed(error)).frame()


async def _request(operation: AnyOperation, http: HttpRequest) -> Request:
    if http.method in ("GET", "HEAD"):
        return from_query(operation, http.scope["query_string"])
    body = await _body(http)
    kind = http.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (body or kind) and kind != JSON:
        raise HttpRefused(415, f"a body is of the type {JSON}", where="Content-Type", why=repr(kind)[:100])
    if http.headers.get("content-encoding", "identity") != "identity":
        raise HttpRefused(415, "a body is not compressed", where="Content-Encoding")
    return from_body(operation, body)


async def _body(http: HttpRequest) -> bytes:
    declared = http.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > LARGEST_BODY:
        raise HttpRefused(413, f"a body has at most {LARGEST_BODY} bytes", where="Content-Length")
    found = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in http.stream():
                found += part
                if len(found) > LARGEST_BODY:
                    raise HttpRefused(413, f"a body has at most {LARGEST_BODY} bytes", where="body")
    except TimeoutError as exc:
        raise HttpRefused(408, "the body did not arrive in time", where="body") from exc
    except ClientDisconnect as exc:
        raise HttpRefused(400, "the body did not arrive whole", where="body") from exc
    return bytes(found)


def _with_version(operation: AnyOperation, http: HttpRequest, request: Request) -> Request:
    """The request with the state version of `If-Match`, which whoever asks for such a change must have seen."""
    if IF_VERSION not in operation.request.__struct_fields__:
        return request
    header = http.headers.get("if-match")
    given = getattr(request, IF_VERSION)
    if header is None:
        raise HttpRefused(428, "this needs the state that it is about", where="If-Match", fix="If-Match: ETAG, or *")
    if header == "*":
        return request
    if not (len(header) > 2 and header[0] == header[-1] == '"' and '"' not in header[1:-1]):
        raise HttpRefused(400, "that is not one entity tag", where="If-Match")
    version = header[1:-1]
    if given not in (None, version):
        raise HttpRefused(422, "header and body name different states", where="If-Match")
    return msgspec.structs.replace(request, if_version=version)


def _is_tried(operation: AnyOperation, http: HttpRequest) -> bool:
    query = http.scope["query_string"]
    if query == b"":
        return False
    if query == DRY_RUN and operation.may_be_tried:
        return True
    raise HttpRefused(422, "this takes no such parameter", where="query", why=repr(query)[1:100])


def _key(asker: Asker, http: HttpRequest) -> str:
    key = http.headers.get("idempotency-key")
    if key is None:
        raise HttpRefused(
            400,
            "a change needs a key, so that repeating the request does not repeat the change",
            where="Idempotency-Key",
            fix="Idempotency-Key: a new random text for every change",
        )
    if not (1 <= len(key) <= LONGEST_KEY and all("!" <= letter <= "~" for letter in key)):
        raise HttpRefused(400, f"a key is 1 to {LONGEST_KEY} visible ASCII characters", where="Idempotency-Key")
    return digest_of(asker.transport.encode(), b"\0", asker.name.encode(), b"\0", key.encode())
