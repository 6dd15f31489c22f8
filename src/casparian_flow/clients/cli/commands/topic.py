"""`casparian topic`: which tables land elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, shared_options
from casparian_flow.clients.cli.render import Column, plain

if TYPE_CHECKING:
    from casparian_flow.operations.output.topics import TopicEntry

COLUMNS = (Column("topic"), Column("sink"), Column("name"), Column("mode"))


@click.group("topic", cls=Noun)
@shared_options
def command() -> None:
    """Tables that land elsewhere: a topic is a table, and all tables whose names begin with its own and `__`."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every topic that has sinks of its own."""
    from casparian_flow.operations.output.topics import ListTopics, TopicSink

    reply = face.ask("topic.list", ListTopics())
    face.show_list("casparian.topics/1", "topics", reply.topics, COLUMNS, TopicSink)


@command.command("show")
@click.argument("topic")
@pass_face
def show(face: Face, topic: str) -> None:
    """Where the tables of TOPIC land when a run does not say otherwise."""
    from casparian_flow.operations.output.topics import ShowTopic

    reply = face.ask("topic.show", ShowTopic(topic=topic))
    face.show("casparian.topic/1", reply, _lines(reply))


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which sinks, and how they are written to."""
    for option in (
        click.option(
            "--mode",
            type=click.Choice(("append", "replace", "error")),
            default="append",
            help="What happens to rows that are there: kept beside (append), replaced, or an error.",
        ),
        click.option(
            "--sink", "sinks", multiple=True, required=True, metavar="URI", help="A URI or a name; may be repeated."
        ),
    ):
        function = option(function)
    return function


@command.command("set")
@click.argument("topic")
@target_options
@dry_run_option
@pass_face
def set_(face: Face, topic: str, sinks: tuple[str, ...], mode: str) -> None:
    """Let the tables of TOPIC land in these sinks alone from the next run on."""
    from casparian_flow.core.outputs import SinkMode
    from casparian_flow.operations.output.topics import SetTopic

    reply = face.ask("topic.set", SetTopic(topic=topic, sinks=sinks, mode=SinkMode(mode)))
    face.show("casparian.topic/1", reply, _lines(reply))


@command.command("add")
@click.argument("topic")
@target_options
@dry_run_option
@pass_face
def add(face: Face, topic: str, sinks: tuple[str, ...], mode: str) -> None:
    """Let the tables of TOPIC land in these sinks too, which may have another mode."""
    from casparian_flow.core.outputs import SinkMode
    from casparian_flow.operations.output.topics import AddToTopic

    reply = face.ask("topic.add", AddToTopic(topic=topic, sinks=sinks, mode=SinkMode(mode)))
    face.show("casparian.topic/1", reply, _lines(reply))


@command.command("remove")
@click.argument("topic")
@dry_run_option
@pass_face
def remove(face: Face, topic: str) -> None:
    """Let the tables of TOPIC land where others do; rows stay where they are."""
    from casparian_flow.operations.output.topics import RemoveTopic

    reply = face.ask("topic.remove", RemoveTopic(topic=topic))
    face.show("casparian.topic/1", reply, _lines(reply))


def _lines(entry: TopicEntry) -> Iterator[str]:
    yield f"topic     {plain(entry.topic)}"
    yield f"by        {plain(entry.by) if entry.by else 'no topic: where all tables land'}"
    for sink in entry.sinks:
        name = f", named {plain(sink.name)}" if sink.name else ""
        yield f"sink      {plain(sink.sink)} ({sink.mode}{name})"
    for table in entry.tables:
        yield f"table     {plain(table)}"
