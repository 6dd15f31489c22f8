"""Shows a watch: each of its rounds as it ends, and what they brought when it is over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face
from casparian_flow.clients.cli.render import plain
from casparian_flow.core.errors import UsageError

if TYPE_CHECKING:
    from casparian_flow.clients.remote.control import RemoteControl
    from casparian_flow.operations.run.reply import RunReply
    from casparian_flow.operations.source.scan import ScanReply
    from casparian_flow.operations.source.watch import WatchEnded, WatchRound

ROUND = "casparian.watch.round/1"
ENDED = "casparian.watch.ended/1"
TOLD = {
    "watch.failed": "a round failed and is tried again in {seconds} s: {why}",
    "watch.polls": "all of {source} is looked at each time, as {why}",
    "watch.away": "{source} is not there; nothing is concluded until it is back",
    "watch.back": "{source} is back",
}


def seconds_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how long a file holds still, and how often everything is looked at."""
    function = click.option(
        "--reconcile",
        type=click.FloatRange(0, 86_400, min_open=True),
        metavar="S",
        help="When watching: look at everything every S seconds, too.",
    )(function)
    return click.option(
        "--settle",
        type=click.FloatRange(0, 3600),
        metavar="S",
        help="When watching: take a file when it has held still for S seconds.",
    )(function)


def watch_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options by which `scan` and `run` go on when they are done."""
    function = seconds_options(function)
    return click.option("--watch", is_flag=True, help="Go on: again whenever files change, until stopped.")(function)


def watched_seconds(given: dict[str, Any]) -> dict[str, float | None] | None:
    """What the watch options ask for, None if not for watching; takes them out of `given`."""
    is_watch, settle, reconcile = (given.pop(name) for name in ("watch", "settle", "reconcile"))
    if not is_watch and (settle is not None or reconcile is not None):
        raise UsageError("--settle and --reconcile are about a watch", fix="--watch")
    return {"settle_seconds": settle, "reconcile_seconds": reconcile} if is_watch else None


def show_watch(face: Face, lines_of: Callable[[Any], Iterable[str]], request: dict[str, Any]) -> int:
    """Watch until stopped or until --timeout, and show each round; `lines_of` shows the reply of its scan or run.

    Where a sentinel holds the home, it keeps the watch, and goes on with it when nobody looks any more.
    """
    from casparian_flow.clients.remote.control import RemoteControl

    began = time.monotonic()
    shown = _Rounds(face, lines_of)
    if isinstance(face.control, RemoteControl):
        _follow_kept(face, face.control, request, shown)
    else:
        _follow_here(face, request, shown)
    shown.end(time.monotonic() - began)
    return 0


def _follow_here(face: Face, request: dict[str, Any], shown: _Rounds) -> None:
    from casparian_flow.operations.source.watch import FollowFiles

    try:
        face.ask("watch.follow", FollowFiles(**request, seconds=face.options.timeout), shown)
    except KeyboardInterrupt:
        face.note("note: stopped; what was finished is kept")


def _follow_kept(face: Face, control: RemoteControl, request: dict[str, Any], shown: _Rounds) -> None:
    from casparian_flow.operations.source.watches import AddWatch

    with control.following(face.options.timeout) as events:
        watch = face.ask("watch.add", AddWatch(**request)).watch
        face.note(f"note: the sentinel keeps this as watch {watch}, until casparian watch remove {watch}")
        with suppress(KeyboardInterrupt):
            for event, values in events:
                if values.get("watch") == watch:
                    shown(event, values)
    face.note(f"note: not followed any more; the sentinel goes on with watch {watch}")


class _Rounds:
    """Shows the rounds of a watch as they are told, and adds them up."""

    def __init__(self, face: Face, lines_of: Callable[[Any], Iterable[str]]) -> None:
        from casparian_flow.clients.cli.progress import Events
        from casparian_flow.operations.source.watch import WatchEnded

        self._face = face
        self._lines_of = lines_of
        self._so_far = WatchEnded()
        self._events = Events(sys.stderr, time.monotonic) if face.options.progress == "jsonl" else None

    def __call__(self, event: str, values: dict[str, object]) -> None:
        """Show one event."""
        if values.get("is_cut"):
            self._face.note("note: a round was too long to be told: casparian status")
        elif event == "watch.round":
            self._show(values)
        elif event in TOLD:
            told = {name: plain(value) for name, value in values.items()}
            self._face.note("note: " + TOLD[event].format_map(told))
        if self._events is not None:
            self._events(event, values)

    def _show(self, values: dict[str, object]) -> None:
        import msgspec

        from casparian_flow.operations.source.watch import WatchRound

        ended = msgspec.convert(values, WatchRound)
        self._so_far = self._so_far.and_round(ended)
        for warning in ended.warnings:
            self._face.note(f"note: {plain(warning)}")
        self._face.show(ROUND, ended, _round_lines(ended, self._lines_of))
        sys.stdout.flush()

    def end(self, seconds: float) -> None:
        """Show what all rounds brought."""
        import msgspec

        whole = msgspec.structs.replace(self._so_far, seconds=round(seconds, 3))
        self._face.show(ENDED, whole, _end_lines(whole))


def show_kept(face: Face, request: dict[str, Any]) -> None:
    """Have the sentinel keep a watch, and show it."""
    from casparian_flow.operations.source.watches import AddWatch

    reply = face.ask("watch.add", AddWatch(**request))
    lines = [
        f"watch {reply.watch} is kept, until casparian watch remove {reply.watch}",
        "next      casparian watch list" if face.sentinel else "next      casparian start (nothing is watched without)",
    ]
    face.show("casparian.watch/1", reply, lines)


def _round_lines(ended: WatchRound, lines_of: Callable[[Any], Iterable[str]]) -> Iterator[str]:
    counts = ((ended.new, "new"), (ended.changed, "changed"), (ended.missing, "missing"), (ended.growing, "growing"))
    told = ", ".join(f"{count:,} {name}" for count, name in counts if count) or "nothing new"
    yield f"round {ended.number} at {ended.at}: {told}"
    reply: RunReply | ScanReply | None = ended.run or ended.scan
    if reply is not None:
        for line in lines_of(reply):
            if line and not line.startswith("next "):
                yield f"  {line}"


def _end_lines(ended: WatchEnded) -> Iterator[str]:
    yield f"watched   {ended.seconds:,.0f} s, {ended.rounds:,} rounds with something to do"
    yield f"files     {ended.files_read:,} read"
    if ended.completed or ended.failed:
        yield f"jobs      {ended.completed:,} completed, {ended.failed:,} failed"
        yield f"rows      {ended.accepted:,} accepted, {ended.quarantined:,} quarantined"
