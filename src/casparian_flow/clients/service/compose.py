"""Brings up everything that is a sentinel, keeps it until it is told to end, and takes it down again."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from casparian_flow import __version__, logs
from casparian_flow.clients.http.app import make_app
from casparian_flow.clients.http.event_log import EventLog
from casparian_flow.clients.http.gate import Gate, hosts_for
from casparian_flow.clients.http.health import Vitals
from casparian_flow.clients.http.metrics import Metrics
from casparian_flow.clients.http.server import serve, tcp_listener, tls_context, unix_listener
from casparian_flow.clients.http.service import Service
from casparian_flow.clients.service.announce import announce, socket_folder, withdraw
from casparian_flow.clients.service.door import ServedDoor
from casparian_flow.clients.service.local_workers import LocalWorkers
from casparian_flow.clients.service.notify import Manager
from casparian_flow.clients.service.process import (
    DRAIN_SECONDS,
    GRACE_SECONDS,
    Asked,
    Inbox,
    Process,
    Wish,
    hearing_signals,
)
from casparian_flow.clients.service.wanted import Wanted
from casparian_flow.core.presence import Presence
from casparian_flow.core.times import rfc3339
from casparian_flow.guest.family import FAMILY
from casparian_flow.guest.pandas_import import forgo_pandas
from casparian_flow.operations.context import Report
from casparian_flow.operations.doing.service.served_home import ServedHome
from casparian_flow.operations.registry import Reply, Request
from casparian_flow.operations.service.sentinel import SentinelStarted
from casparian_flow.operations.source.watch_service import WatchService
from casparian_flow.settings import Home, Settings
from casparian_flow.wiring import holding, open_served

CONTROL = "control.sock"
WORKERS = "workers.sock"

log = logs.get_log(__name__)


def run_sentinel(
    home: Home,
    *,
    load_settings: Callable[[], Settings],
    wanted: Wanted,
    env: Mapping[str, str],
    told: Callable[[SentinelStarted], None],
    wait_seconds: float,
    log_file: str | None,
) -> None:
    """Hold the home until it is told to end; `told` hears when it takes requests.

    Raises HomeBusy, naming the holder, while another process has it. What is not finished at the end is queued again.
    """
    forgo_pandas()
    FAMILY.adopt()
    home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    inbox = Inbox()
    manager = Manager(env)
    with ExitStack() as stack:
        stack.enter_context(hearing_signals(inbox))
        stack.enter_context(holding(home, wait_seconds))
        folder = socket_folder(home)
        stack.callback(withdraw, home, folder)
        served = stack.enter_context(_serving(home, load_settings, wanted, folder, inbox))
        api = stack.enter_context(_answering(served, wanted, folder))
        count = _worker_count(wanted, served.settings)
        workers = LocalWorkers((worker_command(home, folder, number + 1) for number in range(count)), env)
        stack.callback(served.stop)  # before the API ends, so that whoever waits for a run is told
        stack.callback(workers.stop, GRACE_SECONDS)
        presence = _presence(served, folder, api)
        announce(home, presence)
        started = SentinelStarted(
            pid=presence.pid,
            home=str(home.path),
            control=presence.control,
            api=presence.api,
            listens=list(presence.workers),
            server_key=presence.server_key,
            workers=count,
            log=log_file,
        )
        process = Process(
            served,
            workers,
            inbox,
            manager,
            drain_seconds=DRAIN_SECONDS if wanted.drain_seconds is None else wanted.drain_seconds,
        )
        log.info("sentinel.started", pid=presence.pid, home=str(home.path), workers=count)
        manager.ready(served.status())
        told(started)
        process.run()
    log.info("sentinel.ended", home=str(home.path))


def worker_command(home: Home, folder: Path, number: int) -> list[str]:
    """How a worker of this machine is started."""
    joins = ("--join", f"ipc://{folder / WORKERS}", "--name", f"local-{number}", "--keys", str(home.workers))
    return [sys.executable, "-m", "casparian_flow", "worker", "run", *joins, "--with-parent", str(os.getpid())]


@contextmanager
def _serving(
    home: Home, load_settings: Callable[[], Settings], wanted: Wanted, folder: Path, inbox: Inbox
) -> Iterator[ServedHome]:

    def end(drains: bool, seconds: float | None) -> None:
        inbox.put(Wish(asked=Asked.DRAIN if drains else Asked.STOP, seconds=seconds))

    endpoints = [f"ipc://{folder / WORKERS}"]
    if wanted.workers_listen is not None:
        host, port = wanted.workers_listen
        endpoints.append(f"tcp://{_bracketed(host)}:{port}")
    with open_served(home, load_settings, endpoints, end=end) as served:
        yield served


@contextmanager
def _answering(served: ServedHome, wanted: Wanted, folder: Path) -> Iterator[str | None]:
    """The API, until the end of the block; gives the address where other machines ask."""
    listeners, api = [], None
    if wanted.listen is not None:
        host, port = wanted.listen
        tls = tls_context(wanted.certificate, wanted.key) if wanted.certificate and wanted.key else None
        listeners.append(tcp_listener(host, port, tls))
        bound = listeners[-1].socket.getsockname()[1]
        name = wanted.names[0] if wanted.names else host
        api = f"{'https' if tls else 'http'}://{_bracketed(name)}:{bound}"
    listeners.append(unix_listener(folder / CONTROL))  # the last, for it is not refused as an address may be
    doorkeeper = served.open_doorkeeper()
    host_names = hosts_for(wanted.listen[0] if wanted.listen else None, wanted.names)
    service = Service(
        gate=Gate(home=served.home.path, hosts=host_names, doorkeeper=doorkeeper),
        control_for=lambda asker: ServedDoor(served, asker.cwd, asker.name, watches.refresh),
        events=EventLog(str(served.incarnation)),
        metrics=Metrics(),
        vitals=lambda: Vitals(served.silent_seconds, served.workers),
    )
    watches = WatchService(
        partial(_ask_for_watch, ServedDoor(served, served.home.path, "watch"), service.told),
        service.told,
        deaf=[os.path.realpath(os.fsencode(served.home.path))],
    )
    served.subscribe(service.told)
    running = serve(make_app(service), listeners)
    try:
        watches.start()
        yield api
    finally:
        service.end_streams()
        watches.stop(GRACE_SECONDS)
        service.close()
        running.stop()
        FAMILY.end()  # queries that nobody waits for any more
        service.join(GRACE_SECONDS)
        doorkeeper.close()


def _ask_for_watch(door: ServedDoor, told: Report, name: str, request: Request) -> Reply:
    """Ask for a watch, and tell what it reports of itself; of its jobs the sentinel tells."""

    def report(event: str, values: dict[str, object]) -> None:
        if event.startswith("watch."):
            told(event, values)

    return door.ask(name, request, report)


def _presence(served: ServedHome, folder: Path, api: str | None) -> Presence:
    return Presence(
        pid=os.getpid(),
        started=rfc3339(time.time_ns()),
        product=__version__,
        control=str(folder / CONTROL),
        api=api,
        workers=served.addresses.endpoints,
        server_key=served.addresses.server_key,
    )


def _worker_count(wanted: Wanted, settings: Settings) -> int:
    if wanted.workers is not None:
        return wanted.workers
    return settings.run.workers or os.cpu_count() or 1


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
