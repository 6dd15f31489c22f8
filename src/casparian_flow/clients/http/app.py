"""The control API as one ASGI app: a route for every operation, and what surrounds them."""

from __future__ import annotations

import asyncio
import time
from functools import cache, partial
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Send
from starlette.types import Scope as HttpScope

from casparian_flow import logs
from casparian_flow.clients.http import health, metrics, openapi, sse
from casparian_flow.clients.http.asker import Asker
from casparian_flow.clients.http.asking import JSON, ask, failed
from casparian_flow.clients.http.decode import AnyOperation, may_be_got
from casparian_flow.clients.http.gate import require
from casparian_flow.clients.http.paths import EVENTS_PATH, path_of
from casparian_flow.clients.http.problems import HttpRefused
from casparian_flow.clients.http.service import ENDED, Service
from casparian_flow.core.errors import SentinelStopped, ServiceBusy
from casparian_flow.core.scopes import Scope
from casparian_flow.operations.home.metrics import AskMetrics, MetricsReply

OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready"})
"""What may be asked without saying who asks; it tells whether checks passed and nothing else."""
SECURITY_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)

log = logs.get_log(__name__)


def make_app(service: Service) -> Outermost:
    """The API of one service."""
    routes = [_operation_route(service, operation) for operation in openapi.remote_operations()]
    routes += [
        Route("/v1/openapi.json", partial(_openapi, service), methods=["GET"], name="openapi"),
        Route(EVENTS_PATH, partial(_events, service), methods=["GET"], name="events"),
        Route("/metrics", partial(_metrics, service), methods=["GET"], name="metrics"),
        Route("/health", partial(_ready, service), methods=["GET"], name="health"),
        Route("/health/ready", partial(_ready, service), methods=["GET"], name="health"),
        Route("/health/live", partial(_live, service), methods=["GET"], name="health"),
    ]
    return Outermost(Router(routes, redirect_slashes=False), service)


class Outermost:
    """Around every route: checks, headers, one log line, and an answer to whatever goes wrong."""

    def __init__(self, app: Router, service: Service) -> None:
        self._app = app
        self._service = service

    @property
    def routes(self) -> list[Route]:
        """Every route."""
        return [route for route in self._app.routes if isinstance(route, Route)]

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        status = 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *SECURITY_HEADERS]}
            await send(message)

        scope.setdefault("state", {})
        try:
            await self._answer(scope, receive, send_guarded)
        except (Exception, asyncio.CancelledError) as exc:
            # The server cancels what still runs when its time to stop is over, and waits no longer for it.
            ended = failed(SentinelStopped(ENDED) if isinstance(exc, asyncio.CancelledError) else exc)
            if status:  # too late to say so in the answer, which is cut off
                scope["state"]["abort"]()
            else:
                await ended.response()(scope, receive, send_guarded)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    async def _answer(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        gate = self._service.gate
        gate.check_place(scope)
        if scope["path"] not in OPEN_PATHS:
            scope["state"]["asker"] = await self._service.checkers.run(partial(gate.asker, scope))
        scope["app"] = self._app  # so that the router raises what it cannot route, instead of answering itself
        try:
            await self._app(scope, receive, send)
        except HTTPException as exc:
            raise _unrouted(scope["method"], exc) from exc

    def _note(self, scope: HttpScope, status: int, seconds: float) -> None:
        """Count and log the request: never its query, its headers or its body, which may hold secrets."""
        route = scope.get("route")
        name = route.name if route is not None else "none"
        asker: Asker | None = scope["state"].get("asker")
        self._service.metrics.requested(name, status, seconds)
        log.info(
            "request.answered",
            operation=name,
            method=scope["method"],
            status=status,
            seconds=round(seconds, 6),
            asker=None if asker is None else asker.name,
            transport=None if asker is None else asker.transport,
        )


def _operation_route(service: Service, operation: AnyOperation) -> Route:
    methods = ["GET", "POST"] if may_be_got(operation) else ["POST"]
    return Route(path_of(operation.name), partial(ask, service, operation), methods=methods, name=operation.name)


def _unrouted(method: str, error: HTTPException) -> HttpRefused:
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return HttpRefused(405, f"{method} is not for this path", where="method", allow=allow)
    return HttpRefused(404, "there is no such path", where="path", fix="see /v1/openapi.json")


async def _openapi(service: Service, http: HttpRequest) -> Response:
    require(http.scope["state"]["asker"], Scope.READ)
    return Response(await service.readers.run(_document), media_type=JSON)


@cache
def _document() -> bytes:
    return msgspec.json.encode(openapi.document(openapi.remote_operations()))


async def _events(service: Service, http: HttpRequest) -> Any:
    require(http.scope["state"]["asker"], Scope.READ)
    known = {"after", "job", "plan"}
    if unknown := [name for name in http.query_params if name not in known]:
        raise HttpRefused(422, f"there is no parameter {unknown[0]!r}", where=unknown[0])
    if service.streams >= service.most_streams:
        raise ServiceBusy("too many clients are sent events already")
    given = http.headers.get("last-event-id") or http.query_params.get("after")
    after, is_gap = sse.position(service.events, given)
    choice = sse.Choice(
        after=after, is_gap=is_gap, job=http.query_params.get("job"), plan=http.query_params.get("plan")
    )
    return service.stream(sse.follow(service.events, choice, lambda: sse.END if service.is_stopping else None))


async def _metrics(service: Service, http: HttpRequest) -> Response:
    asker: Asker = http.scope["state"]["asker"]
    require(asker, Scope.READ)
    numbers = await service.readers.run(lambda: service.control_for(asker).ask("metrics", AskMetrics()))
    assert isinstance(numbers, MetricsReply)
    return Response(service.metrics.render(metrics.families_of(numbers)), media_type=metrics.MEDIA_TYPE)


async def _ready(service: Service, _http: HttpRequest) -> Response:
    gate = service.gate
    return _health(await service.checkers.run(lambda: health.ready(service.vitals(), gate.home, gate.doorkeeper)))


async def _live(service: Service, _http: HttpRequest) -> Response:
    return _health(health.live(service.vitals()))


def _health(found: health.Health) -> Response:
    return Response(msgspec.json.encode(found), 200 if found.is_ok else 503, media_type=JSON)
