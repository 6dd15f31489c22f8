"""The one place that chooses the real parts and joins them."""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from casparian_flow import __version__, logs
from casparian_flow.core.errors import CasparianError
from casparian_flow.guest.family import FAMILY
from casparian_flow.operations.context import Acting, Report
from casparian_flow.protocol.bodies import Identify
from casparian_flow.protocol.endpoints import is_tcp
from casparian_flow.protocol.in_process import InProcessRouter
from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.protocol.transport import Router
from casparian_flow.sentinel.execution import Embedded
from casparian_flow.sentinel.history.closed_words import write_closed
from casparian_flow.sentinel.home_key import home_key
from casparian_flow.sentinel.home_lock import hold
from casparian_flow.sentinel.notices import Notify
from casparian_flow.sentinel.recovery import recover, take_up
from casparian_flow.settings import Home, Settings
from casparian_flow.sinks.base import Sink
from casparian_flow.store.database import Database
from casparian_flow.store.tombstones import due
from casparian_flow.store.turn import Turn
from casparian_flow.worker.surroundings import allow_open_files, user_name

if TYPE_CHECKING:  # what runs jobs, and what serves a home, is imported by who does so
    from casparian_flow.operations.doing.service.served_home import End, ServedHome
    from casparian_flow.sentinel.core import SentinelCore
    from casparian_flow.sentinel.loop import Loop
    from casparian_flow.worker.spare import Spare
    from casparian_flow.worker.station import Station

log = logs.get_log(__name__)

PROMOTERS = 2
"""Threads of a sentinel that make tables visible."""


@contextmanager
def open_acting(
    home: Home,
    settings: Settings,
    cwd: Path,
    report: Report,
    *,
    wait_seconds: float = 0.0,
    spare: Spare | None = None,
) -> Iterator[Acting]:
    """The right to change a home, with what a crash left put right first.

    The home is made if there is none. A `spare` guest is for the first job; its maker closes it. Raises HomeBusy,
    naming the holder, while another process has it and so long.
    """
    sinks = _sinks()
    with hold(home.lock, seconds=wait_seconds, waiting=lambda holder: report("home.awaited", {"holder": holder})):
        database = Database(home.state)
        put_right = partial(recover, database, sinks, home.default_sink, home.staging)
        try:
            recovered = put_right(time.time_ns())
            if recovered.rolled_forward or recovered.abandoned:
                report("home.recovered", {"landed": recovered.rolled_forward, "abandoned": recovered.abandoned})
            _tell(database, home, settings, report)
            _erase(database, home, sinks, report)
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
                execution=embedded(database, sinks, home.staging, home_key(home, database), spare),
            )
            _tell(database, home, settings, report)
        except BaseException as exc:  # so that nothing is said to be running after a person or a fault stopped it
            try:
                put_right(time.time_ns())
            except CasparianError as again:  # then the next start does it; what led here is what is reported
                exc.add_note(f"nothing could be put right: {again.message} ({again.why})")
            except OSError as again:
                exc.add_note(f"nothing could be put right: {again}")
            raise
        finally:
            database.close()


def _sinks() -> Callable[[str], Sink]:
    """Opens every sink once; what writes to one is loaded with the first."""

    @cache
    def opened(uri: str) -> Sink:
        from casparian_flow.sinks.uri import open_sink  # noqa: PLC0415

        return open_sink(uri)

    return opened


def _tell(database: Database, home: Home, settings: Settings, report: Report) -> None:
    """Tell others what runs did, if they are to be told; what cannot be told now is told by a later command."""
    if settings.lineage.file:
        from casparian_flow.operations.doing.lineage.file import tell  # noqa: PLC0415 - most homes tell nobody

        if (trouble := tell(database, home, settings, time.time_ns)) is not None:
            report("lineage.failed", {"message": trouble.message, "why": trouble.why})


def _erase(database: Database, home: Home, sinks: Callable[[str], Sink], report: Report) -> None:
    """Go on with what has to go and was broken off; a purge whose sink is away waits for a later command."""
    write_closed(database, home)
    with database.transaction() as connection:
        is_due = bool(due(connection))
    if is_due:
        from casparian_flow.sentinel.history.erasing import erase_due  # noqa: PLC0415 - hardly ever is anything due

        try:
            erase_due(database, home, sinks, time.time_ns, user_name())
        except CasparianError as exc:
            report("purge.failed", {"message": exc.message, "why": exc.why})


def embedded(
    database: Database, sinks: Callable[[str], Sink], scratch: Path, key: PseudonymKey, spare: Spare | None = None
) -> Embedded:
    """The sentinel of one command, with workers in the same process; the database knows which incarnation it is."""
    router = InProcessRouter()
    assert database.incarnation is not None
    make_loop = partial(_loop, database, router, sinks, database.incarnation, key)
    return Embedded(make_loop, lambda count: local_workers(count, router, sinks, scratch, spare))


def _loop(
    database: Database,
    router: Router,
    sinks: Callable[[str], Sink],
    incarnation: int,
    key: PseudonymKey,
    *,
    promoters: int = 0,
) -> Loop:
    """A sentinel over a database, not yet at work; each core that it makes speaks in a session of its own."""
    from casparian_flow.sentinel.core import SentinelCore  # noqa: PLC0415 - 0.2 s that only commands need which run jobs
    from casparian_flow.sentinel.loop import Loop  # noqa: PLC0415

    def make_core(notify: Notify) -> SentinelCore:
        session = secrets.token_hex(16)
        return SentinelCore(database, incarnation=incarnation, session=session, notify=notify, key=key)

    return Loop(database, router, make_core, sinks, time.time_ns, promoters=promoters)


def local_workers(
    count: int, router: InProcessRouter, sinks: Callable[[str], Sink], scratch: Path, spare: Spare | None = None
) -> Station:
    """One worker in this process with so many slots."""
    from casparian_flow.worker.execute import Tools  # noqa: PLC0415 - 0.1 s that only commands need which run jobs
    from casparian_flow.worker.guest import ISOLATION  # noqa: PLC0415
    from casparian_flow.worker.station import Station  # noqa: PLC0415
    from casparian_flow.worker.zygotes import Zygotes  # noqa: PLC0415

    allow_open_files()
    profile = Identify(
        worker="local",
        host=platform.node(),
        pid=os.getpid(),
        product=__version__,
        slots=count,
        isolation=ISOLATION,
    )
    tools = Tools(open_sink=sinks, scratch=scratch, zygotes=Zygotes(scratch, spare))
    return Station(router.connect(b"local"), profile, tools, unheard, may_be_cut_off=False)


@contextmanager
def open_worker(
    address: str,
    *,
    name: str | None,
    slots: int,
    labels: Mapping[str, str],
    parsers: Sequence[str],
    folder: Path,
    notify: Callable[[str, dict[str, object]], None],
    with_parent: int | None,
) -> Iterator[Station]:
    """A worker of its own, not yet at work; `folder` keeps its keys and, while it works, its scratch files.

    `with_parent`: it stops when that process, which started it, has ended.
    """
    from casparian_flow.worker.execute import Tools  # noqa: PLC0415
    from casparian_flow.worker.guest import ISOLATION  # noqa: PLC0415
    from casparian_flow.worker.outpost import find_post, scratch_folder  # noqa: PLC0415 - brings ZeroMQ in
    from casparian_flow.worker.shield import end_with_parent  # noqa: PLC0415
    from casparian_flow.worker.station import Station  # noqa: PLC0415
    from casparian_flow.worker.zygotes import Zygotes  # noqa: PLC0415

    FAMILY.adopt()
    if with_parent is not None:
        end_with_parent(with_parent)
    post = find_post(address, name, folder)
    allow_open_files()
    profile = Identify(
        worker=post.worker,
        host=platform.node(),
        pid=os.getpid(),
        product=__version__,
        slots=slots,
        labels=dict(labels),
        isolation=ISOLATION,
        parsers=list(parsers),
    )
    with scratch_folder(folder / "scratch") as scratch:
        tools = Tools(open_sink=_sinks(), scratch=scratch, zygotes=Zygotes(scratch))
        yield Station(post.connect(), profile, tools, notify)


def unheard(_event: str, _values: dict[str, object]) -> None:
    """What a worker of this process tells: its sentinel tells it too."""


def holding(home: Home, wait_seconds: float) -> AbstractContextManager[None]:
    """Hold a home for the length of a block; raises HomeBusy, naming the holder, while another process has it."""
    return hold(home.lock, seconds=wait_seconds)


@contextmanager
def open_served(
    home: Home, load_settings: Callable[[], Settings], endpoints: Sequence[str], *, end: End
) -> Iterator[ServedHome]:
    """A sentinel over a home that the caller holds; workers join at `endpoints`.

    What a crash left is put right, and open runs are taken up. At the end of the block its loop is stopped.
    """
    from casparian_flow.operations.doing.service.served_home import Addresses, ServedHome  # noqa: PLC0415
    from casparian_flow.protocol.keys import sentinel_keys  # noqa: PLC0415 - other commands have no use for ZeroMQ
    from casparian_flow.protocol.zmq_router import ZmqRouter  # noqa: PLC0415
    from casparian_flow.sentinel.queue.admission import Admission  # noqa: PLC0415

    sinks = _sinks()
    turn = Turn()
    with ExitStack() as stack:
        database = Database(home.state, turn=turn)
        stack.callback(database.close)
        recovered = take_up(database, sinks, home.default_sink, home.staging, time.time_ns())
        _erase(database, home, sinks, lambda event, values: log.warning(event, **values))
        keys = sentinel_keys(home.keys) if any(map(is_tcp, endpoints)) else None
        register = Admission(database, time.time_ns) if keys else None
        router = ZmqRouter(endpoints, keys=keys, register=register)
        stack.callback(router.close)
        key = home_key(home, database)
        loop = _loop(database, router, sinks, recovered.incarnation, key, promoters=PROMOTERS)
        where = Addresses(tuple(router.endpoints), keys.public if keys else None)
        served = ServedHome(home, load_settings, loop, turn, recovered, sinks, end, where)
        served.start()
        stack.callback(served.close)
        stack.callback(served.stop)
        yield served
