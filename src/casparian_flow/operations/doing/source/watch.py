"""How what `operations.source.watch` names is done."""

from __future__ import annotations

import os
import threading
import time

from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.source.watch_round import Rounds, timing_of
from casparian_flow.operations.source.watch import Followed, FollowFiles
from casparian_flow.scout.hints import Hints, NoHints, SystemHints
from casparian_flow.sentinel.watching import WatchLoop


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
