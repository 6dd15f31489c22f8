"""Sends events to a client as they happen: server-sent events that neither fill memory nor wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from starlette.types import Receive, Send
from starlette.types import Scope as HttpScope

from casparian_flow.clients.http.event_log import EventLog, Happened
from casparian_flow.clients.http.problems import HttpRefused

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
STALL_SECONDS = 30.0
"""A client that takes nothing for so long is dropped."""
AT_ONCE = 500
HEARTBEAT = b": still here\n\n"
END = b"event: end\ndata: {}\n\n"
"""The service stops; whoever follows may come back with the last id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which events: after that number, and about one job or one plan only. `is_gap`: some before are gone."""

    after: int
    is_gap: bool = False
    job: str | None = None
    plan: str | None = None

    def takes(self, event: Happened) -> bool:
        """Whether the event is one of them."""
        return self.job in (None, event.job) and self.plan in (None, event.plan)


def frame(event: str, data: bytes, id_: str | None = None) -> bytes:
    """One event on the wire; `data` is JSON, so it holds no line end."""
    first = b"" if id_ is None else b"id: " + id_.encode() + b"\n"
    return first + b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


def position(log: EventLog, given: str | None) -> tuple[int, bool]:
    """The number after which a client that last saw this id goes on, and whether it missed what is gone now.

    Without an id it goes on from now; after an id of an earlier start of the service, from the oldest event kept.
    """
    if given is None:
        return log.last, False
    incarnation, _, number = given.rpartition(".")
    if not (incarnation and number.isascii() and number.isdigit() and len(number) < 19):
        raise HttpRefused(422, "that is no id of an event", where="after", why=given[:100])
    if incarnation != log.incarnation or int(number) > log.last:
        return 0, True
    return int(number), False


async def follow(log: EventLog, choice: Choice, ended: Callable[[], bytes | None]) -> AsyncIterator[bytes]:
    """The chosen events from now on, until `ended` gives a last frame; heartbeats while nothing happens."""
    loop, happened = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the service stops, and its loop with it
            loop.call_soon_threadsafe(happened.set)

    watcher = log.watch(wake)
    after, is_gap = choice.after, choice.is_gap
    try:
        yield HEARTBEAT  # so that the answer's head arrives before the first event does
        while True:
            happened.clear()
            log.about_to_read(watcher)
            last_frame = ended()  # asked before reading: what was reported before the end is read by now
            page = log.read(after, AT_ONCE)
            if page.is_gap or is_gap:
                missed = {"from": after + 1, "to": page.events[0].seq - 1 if page.events else page.last}
                yield frame("gap", msgspec.json.encode(missed), _id(log, missed["to"]))
                is_gap = False
            after = page.last
            if chosen := [_framed(log, event) for event in page.events if choice.takes(event)]:
                yield b"".join(chosen)
            if page.events:
                continue
            if last_frame is not None:
                yield last_frame
                return
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await happened.wait()
            except TimeoutError:
                yield HEARTBEAT
    finally:
        log.leave(watcher)


def _framed(log: EventLog, event: Happened) -> bytes:
    return frame(event.event, event.values, _id(log, event.seq))


def _id(log: EventLog, seq: int) -> str | None:
    """By what a client names an event when it comes back; none where nobody can come back."""
    return f"{log.incarnation}.{seq}" if log.incarnation else None


class EventStream:
    """The answer that sends frames; it ends when they do, when the client leaves, or when it stops taking them."""

    def __init__(self, frames: AsyncIterator[bytes], done: Callable[[], None]) -> None:
        self._frames = frames
        self._done = done

    async def __call__(self, scope: HttpScope, receive: Receive, send: Send) -> None:
        """Send every frame."""
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"x-accel-buffering", b"no")]
        sending = asyncio.create_task(self._send(scope, send, headers))
        leaving = asyncio.create_task(_until_left(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            self._done()
        if sending.done() and not sending.cancelled():
            sending.result()

    async def _send(self, scope: HttpScope, send: Send, headers: list[tuple[bytes, bytes]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            async for each in self._frames:
                async with asyncio.timeout(STALL_SECONDS):
                    await send({"type": "http.response.body", "body": each, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            scope["state"]["abort"]()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
