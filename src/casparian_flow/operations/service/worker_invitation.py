"""Inviting a worker on another machine."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class InviteWorker(Request, frozen=True, kw_only=True):
    """A worker of that name may join, once, within `valid` (`90s`, `15m`, `1h`, `7d`). Without a name it gets one.

    `address` is where it reaches the sentinel, HOST:PORT; without, where the sentinel that runs now listens.
    """

    worker: str | None = None
    address: str | None = None
    valid: str = "1h"


class WorkerInvited(Reply, frozen=True, kw_only=True):
    """The invitation, which is told this once: whoever has it can join in the worker's place."""

    worker: str
    address: str
    server_key: str
    expires: str
    invitation: str


OPERATIONS = (
    Operation(
        "worker.invite",
        InviteWorker,
        WorkerInvited,
        Effect.EXECUTE,
        "service.worker_invitation.invite",
        "Let a worker on another machine join, once.",
        is_administrative=True,
        tells_secret=True,
    ),
)
