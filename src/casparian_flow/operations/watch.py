"""Watching: a scan or a run again and again, whenever files change."""

from __future__ import annotations

import os
import threading
import time
from typing import Annotated

import msgspec

from casparian_flow.operations.context import Acting
from casparian_flow.operations.registry import Effect, Operation, Reply
from casparian_flow.operations.watch_round import Rounds, Watched, timing_of
from casparian_flow.scout.hints import Hints, NoHints, SystemHints
from casparian_flow.sentinel.watching import WatchLoop


class FollowFiles(Watched, frozen=True, kw_only=True):
    """A watch that lasts as long as who asked waits: `seconds`, or until interrupted."""

    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Followed(Reply, frozen=True, kw_only=True):
    """How often was looked; what came of it was reported with each `watch.round`."""

    looks: int


def follow(acting: Acting, request: FollowFiles) -> Followed:
    """Hold the home and watch until the time is over; KeyboardInterrupt ends it sooner, also within a round."""
    rounds = Rounds(acting, request)
    loop = WatchLoop(rounds.roots, timing_of(acting, request), rounds.look, hints_of(acting), acting.report)
    until = float("inf") if request.seconds is None else time.monotonic() + request.seconds
    loop.run(threading.Event(), until)
    return Followed(looks=loop.rounds)


def hints_of(acting: Acting) -> Hints:
    """Where hints come from; never from what Casparian itself writes into the home."""
    if acting.settings.watch.hints == "none":
        return NoHints("watch.hints is none")
    return SystemHints(deaf=[os.path.realpath(os.fsencode(acting.home.path))])


OPERATIONS = (
    Operation("watch.follow", FollowFiles, Followed, Effect.EXECUTE, follow, "Scan or run whenever files change."),
)
