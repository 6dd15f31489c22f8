"""The sentinel that holds a home: what it is, and its end."""

from __future__ import annotations

from casparian_flow.operations.limits import Seconds
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class StopSentinel(Request, frozen=True, kw_only=True):
    """Its end: with `drain` after what workers hold, and after so many seconds at the latest; else at once.

    What is not finished by then is given back to the queue, and the next start goes on with it.
    """

    drain: bool = False
    seconds: Seconds | None = None


class SentinelStopping(Reply, frozen=True, kw_only=True):
    """It ends: the process, and how many jobs workers held when it was asked."""

    pid: int
    drain: bool
    held: int


class SentinelStarted(Reply, frozen=True, kw_only=True):
    """It takes requests. `control` is the socket of this machine's commands, `api` where other machines ask.

    `listens` is where workers join, and `server_key` what those on other machines know it by.
    """

    pid: int
    home: str
    control: str
    api: str | None
    listens: list[str]
    server_key: str | None
    workers: int
    log: str | None


OPERATIONS = (
    Operation(
        "sentinel.stop",
        StopSentinel,
        SentinelStopping,
        Effect.EXECUTE,
        "service.sentinel.stop",
        "End the sentinel, at once or after what its workers hold.",
        is_administrative=True,
    ),
)
