"""`casparian start`: a sentinel that holds the home, with workers on this machine."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import plain

if TYPE_CHECKING:
    from casparian_flow.clients.service.detach import Launch
    from casparian_flow.clients.service.wanted import Wanted
    from casparian_flow.operations.service.sentinel import SentinelStarted


WORKERS = click.option("--workers", type=click.IntRange(0, 1024), metavar="N", help="Worker processes of this machine.")
DETACH = click.option(
    "--detach", is_flag=True, help="Leave the terminal when it is ready; what it writes goes to a log."
)
DRAIN_TIMEOUT = click.option(
    "--drain-timeout",
    type=click.FloatRange(min=0),
    metavar="S",
    help="When it is told to end, wait so long for what is being read.",
)


@click.command("start")
@WORKERS
@DETACH
@DRAIN_TIMEOUT
@pass_face
def command(face: Face, workers: int | None, detach: bool, drain_timeout: float | None) -> int:
    """Hold the home as a service: commands ask it, its workers do the work, and it goes on after a crash."""
    from casparian_flow.clients.service.wanted import Wanted

    return start(face, Wanted(workers=workers, drain_seconds=drain_timeout), is_detached=detach)


def start(face: Face, wanted: Wanted, *, is_detached: bool) -> int:
    """Be the sentinel until it ends, or with `is_detached` have another process be it."""
    if not is_detached:
        _be(face, wanted, None)
        return 0
    from casparian_flow.clients.remote.problems import error_of
    from casparian_flow.clients.service.detach import detach
    from casparian_flow.operations.service.sentinel import SentinelStarted

    face.home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    started, told = detach(face.home.sentinel_log, lambda launch: _be(face, wanted, launch))
    if not started:
        raise error_of(told, str(face.home.sentinel_log))
    import msgspec

    reply = msgspec.json.decode(told, type=SentinelStarted)
    face.show("casparian.start/1", reply, _lines(reply))
    return 0


def _be(face: Face, wanted: Wanted, launch: Launch | None) -> int:
    from casparian_flow import logs
    from casparian_flow.clients.service.compose import run_sentinel
    from casparian_flow.core.errors import CasparianError

    logs.set_up(sys.stderr, max(face.options.verbose, 1 if launch else 0))

    def told(reply: SentinelStarted) -> None:
        if launch is not None:
            import msgspec

            launch.ready(msgspec.json.encode(reply))
            return
        for line in _lines(reply):
            face.note(line)

    try:
        run_sentinel(
            face.home,
            load_settings=face.load_settings,
            wanted=wanted,
            env=os.environ,
            told=told,
            wait_seconds=face.wait_seconds,
            log_file=str(face.home.sentinel_log) if launch else None,
        )
    except CasparianError as exc:
        if launch is None:
            raise
        launch.failed(exc)
        return exc.exit_code
    return 0


def _lines(reply: SentinelStarted) -> list[str]:
    lines = [f"sentinel  process {reply.pid} holds {plain(reply.home)}", f"workers   {reply.workers} on this machine"]
    if reply.api:
        lines.append(f"api       {plain(reply.api)}")
    if reply.server_key:
        lines += [f"workers join at {plain(each)}" for each in reply.listens if each.startswith("tcp:")]
    if reply.log:
        lines.append(f"log       {plain(reply.log)}")
    return [*lines, "stop      casparian stop --drain"]
