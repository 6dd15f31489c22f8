"""The one place that chooses the real parts and joins them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from casparian_flow.operations.context import Acting, Report
from casparian_flow.sentinel.home_lock import hold
from casparian_flow.sentinel.recovery import recover
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.uri import open_sink
from casparian_flow.store.database import Database
from casparian_flow.worker.execute import Tools
from casparian_flow.worker.pool import LocalPool
from casparian_flow.worker.surroundings import allow_open_files, user_name


@contextmanager
def open_acting(
    home: Home, settings: Settings, cwd: Path, report: Report, *, wait_seconds: float = 0.0
) -> Iterator[Acting]:
    """The right to change a home, with what a crash left put right first.

    The home is made if there is none. Raises HomeBusy, naming the holder, while another process has it and so long.
    """
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    sinks = cache(open_sink)
    with hold(home.lock, seconds=wait_seconds, waiting=lambda holder: report("home.awaited", {"holder": holder})):
        database = Database(home.state)
        put_right = partial(recover, database, sinks, home.default_sink, home.staging)
        try:
            recovered = put_right(time.time_ns())
            if recovered.rolled_forward or recovered.abandoned:
                report("home.recovered", {"landed": recovered.rolled_forward, "abandoned": recovered.abandoned})
            yield Acting(
                home=home,
                settings=settings,
                database=database,
                cwd=cwd,
                clock=time.time_ns,
                actor=user_name(),
                report=report,
                recovered=recovered,
                open_sink=sinks,
                workers=lambda count: local_workers(count, sinks, home.staging),
            )
        except BaseException:  # so that nothing is said to be running after a person or a fault stopped it
            put_right(time.time_ns())
            raise
        finally:
            database.close()


def local_workers(count: int, sinks: Callable[[str], Sink], scratch: Path) -> LocalPool:
    """So many workers in this process."""
    allow_open_files()
    return LocalPool(count, Tools(open_sink=sinks, scratch=scratch))
