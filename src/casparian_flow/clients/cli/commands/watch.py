"""`casparian watch`: what a sentinel watches."""

from __future__ import annotations

from typing import Any

import click

from casparian_flow.clients.cli.commands.run import selection_of, selection_options
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column
from casparian_flow.clients.cli.watching import seconds_options, show_kept

COLUMNS = (
    Column("watch"),
    Column("operation"),
    Column("paths"),
    Column("settle_seconds"),
    Column("reconcile_seconds"),
    Column("actor"),
    Column("added"),
)


@click.group("watch", cls=Noun)
@shared_options
def command() -> None:
    """What a sentinel watches. Without one, `scan --watch` and `run --watch` watch by themselves."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every watch that a sentinel goes on with whenever it starts."""
    from casparian_flow.operations.source.watches import ListWatches, WatchEntry

    reply = face.ask("watch.list", ListWatches())
    face.show_list("casparian.watches/1", "watches", reply.watches, COLUMNS, WatchEntry)


@command.command("add")
@selection_options
@click.option("--only-scan", is_flag=True, help="Find and hash files; run nothing.")
@seconds_options
@pass_face
def add(face: Face, /, only_scan: bool, settle: float | None, reconcile: float | None, **given: Any) -> None:
    """Have the sentinel of this home run whenever files change, also after it was started again."""
    from casparian_flow.operations.run.run import RunFiles
    from casparian_flow.operations.source.scan import ScanFiles

    selection = selection_of(given)
    request = {"scan": ScanFiles(paths=selection.paths)} if only_scan else {"run": RunFiles(selection=selection)}
    show_kept(face, {**request, "settle_seconds": settle, "reconcile_seconds": reconcile})


@command.command("remove")
@click.argument("watch", type=click.IntRange(min=1))
@pass_face
def remove(face: Face, watch: int) -> None:
    """End a watch, after the round that it is in."""
    from casparian_flow.operations.source.watches import RemoveWatch

    reply = face.ask("watch.remove", RemoveWatch(watch=watch))
    face.show("casparian.watch/1", reply, [f"watch {reply.watch} is removed; what it found and read is kept"])
