"""`casparian watch`: what a sentinel watches."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column

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
    """What a sentinel watches. `scan --watch` and `run --watch` begin a watch."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every watch that a sentinel goes on with whenever it starts."""
    from casparian_flow.operations.watches import ListWatches, WatchEntry

    reply = face.ask("watch.list", ListWatches())
    face.show_list("casparian.watches/1", "watches", reply.watches, COLUMNS, WatchEntry)


@command.command("remove")
@click.argument("watch", type=click.IntRange(min=1))
@pass_face
def remove(face: Face, watch: int) -> None:
    """End a watch, after the round that it is in."""
    from casparian_flow.operations.watches import RemoveWatch

    reply = face.ask("watch.remove", RemoveWatch(watch=watch))
    face.show("casparian.watch/1", reply, [f"watch {reply.watch} is removed; what it found and read is kept"])
