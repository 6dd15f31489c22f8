"""`casparian preview`: the first rows of one file as they would land."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, plain, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.inspect import Preview

REJECTED = (Column("code"), Column("message"), Column("start"), Column("end"))


@click.command("preview")
@click.argument("file")
@click.option("-n", "--rows", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Rows per output.")
@click.option("--parser", metavar="P", help="Read with this parser: its name, or a .py file or folder.")
@click.option("--option", "options", multiple=True, metavar="K=V", help="An option of the parser.")
@pass_face
def command(face: Face, file: str, rows: int, parser: str | None, options: tuple[str, ...]) -> int:
    """The first rows of a file with their types, what was detected, and what would be rejected."""
    from casparian_flow.clients.cli.options import options_of
    from casparian_flow.operations.inspect import PreviewFile

    reply = face.ask("preview", PreviewFile(path=file, rows=rows, parser=parser, options=options_of(options)))
    face.show("casparian.preview/1", reply, _lines(face, reply))
    return 1 if reply.error else 0


def _lines(face: Face, reply: Preview) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"{plain(reply.path)} read by {plain(reply.parser)}"
    for verdict in reply.verdicts:
        runner_up = f", else {plain(verdict.runner_up)}" if verdict.runner_up else ""
        yield f"  {plain(verdict.name)}: {plain(verdict.value)} ({verdict.confidence:.0%}{runner_up})"
    for output in reply.outputs:
        yield ""
        yield f"table {plain(output.table)}: " + ", ".join(
            f"{plain(name)} {kind}" for name, kind in zip(output.columns, output.types, strict=True)
        )
        rows = [dict(zip(output.columns, row, strict=True)) for row in output.rows]
        yield from table_lines(rows, [Column(name) for name in output.columns], face.paper)
        if output.rejected:
            yield ""
            yield from table_lines(map(to_builtins, output.rejected), REJECTED, face.paper)
    for line in reply.printed:
        yield f"the parser wrote: {plain(line)}"
    if reply.error:
        yield f"stopped: {plain(reply.error)}"
    elif reply.is_cut:
        yield "… there is more"
