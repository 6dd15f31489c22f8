"""`casparian infer`: what each column of one file can be, and why."""

from __future__ import annotations

from collections.abc import Iterator

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, plain, table_lines

COLUMNS = (Column("table"), Column("column"), Column("type"), Column("format"), Column("note"))


@click.command("infer")
@click.argument("file")
@click.option("--parser", metavar="P", help="Read with this parser: its name, or a .py file or folder.")
@click.option("--option", "options", multiple=True, metavar="K=V", help="An option of the parser.")
@click.option("--explain", "explains", is_flag=True, help="Show the value that ruled out each other type.")
@pass_face
def command(face: Face, file: str, parser: str | None, options: tuple[str, ...], explains: bool) -> None:
    """The type of each column over all rows of a file."""
    from msgspec import to_builtins

    from casparian_flow.clients.cli.options import options_of
    from casparian_flow.operations.inspect import InferColumns

    reply = face.ask("infer", InferColumns(path=file, parser=parser, options=options_of(options)))
    lines = list(table_lines(map(to_builtins, reply.columns), COLUMNS, face.paper))
    if explains:
        for each in reply.columns:
            lines += [f"{plain(each.column)} is not {plain(text)}" for text in _by_value(each.ruled_out)]
    if reply.error:
        lines.append(f"stopped: {plain(reply.error)}")
    face.show("casparian.infer/1", reply, lines)


def _by_value(ruled_out: list[str]) -> Iterator[str]:
    """One line for each value, with all the types that it ruled out."""
    types: dict[str, list[str]] = {}
    for text in ruled_out:
        candidate, _, value = text.partition(": ")
        types.setdefault(value, []).append(candidate)
    yield from (f"{', '.join(candidates)}: {value}" for value, candidates in types.items())
