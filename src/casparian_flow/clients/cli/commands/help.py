"""`casparian help`: commands, topics, schemas and man pages."""

from __future__ import annotations

from collections.abc import Iterator

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column
from casparian_flow.core.errors import UsageError

SCHEMAS = (Column("name"), Column("title"))


@click.command("help", add_help_option=True)
@click.argument("words", nargs=-1, metavar="[TOPIC | COMMAND [VERB] | schemas [NAME]]")
@click.option("--man", "as_man", is_flag=True, help="Write the man page of COMMAND.")
@pass_face
def command(face: Face, words: tuple[str, ...], as_man: bool) -> None:
    """What a command does, a page about a topic, or the JSON Schema of an answer."""
    from casparian_flow.clients.cli.root import root

    if as_man:
        from casparian_flow.clients.cli.man import page

        click.echo(page(_find(words)), nl=False)
    elif not words:
        face.show_text([*_context(()).get_help().splitlines(), "", "Topics:", *_topics(), "", *_more()])
    elif words[0] == "schemas":
        _show_schemas(face, words[1:])
    elif root.get_command(click.Context(root), words[0]) is not None:
        face.show_text(_find(words).get_help().splitlines())
    elif len(words) == 1:
        from casparian_flow.operations.home.manual_pages import ReadTopic

        reply = face.ask("help.topic", ReadTopic(topic=words[0]))
        face.show("casparian.help/1", reply, _readable(reply.text), is_plain=True)
    else:
        raise UsageError(f"there is no command {words[0]!r}", fix="casparian help")


def _find(words: tuple[str, ...]) -> click.Context:
    """The context of a command or verb as its `--help` has it."""
    context = _context(words)
    rest = words[len(context.command_path.split()) - 1 :]
    if rest:
        raise UsageError(f"{context.command_path!r} has no verb {rest[0]!r}", fix=f"{context.command_path} --help")
    return context


def _context(words: tuple[str, ...]) -> click.Context:
    """As far down the tree of commands as the words lead."""
    from casparian_flow.clients.cli.root import root

    context = click.Context(root, info_name="casparian")
    for word in words:
        group = context.command
        found = group.get_command(context, word) if isinstance(group, click.Group) else None
        if found is None:
            break
        context = click.Context(found, parent=context, info_name=found.name)
    return context


def _topics() -> Iterator[str]:
    from casparian_flow.manual import topics

    names = topics.names()
    width = max(map(len, names))
    yield from (f"  {name.ljust(width)}  {topics.summary(name)}" for name in names)


def _more() -> Iterator[str]:
    yield "casparian help TOPIC, casparian help COMMAND, casparian help schemas, casparian explain CODE"


def _readable(markdown: str) -> Iterator[str]:
    """The page without the signs that only a renderer needs."""
    for line in markdown.rstrip().splitlines():
        yield line.lstrip("#").strip().upper() if line.startswith("#") else line.replace("`", "")


def _show_schemas(face: Face, names: tuple[str, ...]) -> None:
    from casparian_flow.operations.home.schemas import ListSchemas, SchemaEntry, ShowSchema

    if not names:
        reply = face.ask("help.schemas", ListSchemas())
        face.show_list("casparian.schemas/1", "schemas", reply.schemas, SCHEMAS, SchemaEntry)
        return
    import json

    found = face.ask("help.schema", ShowSchema(name=names[0]))
    face.show("casparian.schema/1", found, json.dumps(found.body, indent=2).splitlines(), is_plain=True)
