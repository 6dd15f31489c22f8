"""What a worker's core tells the process around it to do."""

from __future__ import annotations

import msgspec

from casparian_flow.protocol.bodies import Cast, Parse, Permit, Terms
from casparian_flow.worker.held import Key


class Begin(msgspec.Struct, frozen=True):
    """Let a free slot begin with an order; `WorkerCore.free` when it is done with all of it."""

    slot: int
    order: Parse | Cast


class Stop(msgspec.Struct, frozen=True):
    """End an attempt that a slot works on: kill its guest, discard what it staged, then `WorkerCore.stopped`.

    One that the slot has not begun with is never begun. One that is sealed meanwhile is answered `Fenced`.
    """

    job: int
    attempt: int


class Discard(msgspec.Struct, frozen=True):
    """Remove what a surveyed group left until its contracts were known, then `WorkerCore.stopped` of each.

    It lies where the first of them, the leader, has its place.
    """

    group: tuple[Key, ...]


class Held(msgspec.Struct, frozen=True):
    """The sentinel keeps the sealed group and promotes it together with others: nothing is left to do here."""


class Fenced(msgspec.Struct, frozen=True):
    """The sealed group may not commit: discard what it staged, then `WorkerCore.stopped` of each job."""

    why: str


class Answer(msgspec.Struct, frozen=True):
    """What the sentinel says to a sealed group, by its leader, for the slot that waits for it."""

    job: int
    attempt: int
    answer: Permit | Held | Fenced


class Joined(msgspec.Struct, frozen=True):
    """The sentinel accepted this worker, for the first time or again."""

    terms: Terms


class Lost(msgspec.Struct, frozen=True):
    """The sentinel has not been heard for so long that what runs here was given up."""


class Refused(msgspec.Struct, frozen=True):
    """The sentinel does not want this worker; asking again would not help."""

    code: str
    message: str


Action = Begin | Stop | Discard | Answer | Joined | Lost | Refused
