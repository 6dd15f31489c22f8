"""`casparian sink`: where tables land."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.output.sinks import SinkChecked

COLUMNS = (
    Column("sink"),
    Column("name"),
    Column("is_default"),
    Column("topics"),
    Column("tables", Kind.COUNT),
    Column("rows", Kind.COUNT),
    Column("last", Kind.TIME),
)
WAITING = (Column("table"), Column("role"), Column("seq"), Column("job"), Column("message"))


@click.group("sink", cls=Noun)
@shared_options
def command() -> None:
    """Places where tables land: folders, database files."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """The home's own sink, and every other that has a name, a topic or a commit."""
    from casparian_flow.operations.output.sinks import ListSinks, SinkEntry

    reply = face.ask("sink.list", ListSinks())
    face.show_list("casparian.sinks/1", "sinks", reply.sinks, COLUMNS, SinkEntry)


@command.command("add")
@click.argument("uri")
@click.option("--name", required=True, metavar="N", help="What --sink may be given instead of the URI.")
@dry_run_option
@pass_face
def add(face: Face, uri: str, name: str) -> None:
    """Give a sink a name; nothing is written to it."""
    from casparian_flow.operations.output.sinks import AddSink

    reply = face.ask("sink.add", AddSink(uri=uri, name=name))
    face.show("casparian.sink/1", reply, [f"sink      {plain(reply.name)}: {plain(reply.sink)}"])


@command.command("check")
@click.argument("sink", metavar="URI|NAME")
@pass_face
def check(face: Face, sink: str) -> None:
    """Try whether this home can write to a sink, and show what waits to become visible there."""
    from casparian_flow.operations.output.sinks import CheckSink

    reply = face.ask("sink.check", CheckSink(sink=sink))
    face.show("casparian.sink.checked/1", reply, _lines(face, reply))


@command.command("remove")
@click.argument("name")
@dry_run_option
@pass_face
def remove(face: Face, name: str) -> None:
    """Forget the name of a sink; no row is lost."""
    from casparian_flow.operations.output.sinks import RemoveSink

    reply = face.ask("sink.remove", RemoveSink(name=name))
    said = f"{plain(reply.name)} is forgotten; what is in {plain(reply.sink)} stays"
    face.show("casparian.sink.removed/1", reply, [said])


def _lines(face: Face, checked: SinkChecked) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"sink      {plain(checked.sink)} can be written to"
    yield f"owner     {'this home' if checked.is_claimed else 'nobody yet'}"
    yield f"tables    {checked.tables}"
    if checked.waiting:
        yield ""
        yield from table_lines(map(to_builtins, checked.waiting), WAITING, face.paper)
