"""`casparian preview`: the first rows of one file as they would land."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, plain, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.file.inspect import Preview

REJECTED = (Column("code"), Column("message"), Column("start"), Column("end"))


@click.command("preview")
@click.argument("file")
@click.option("-n", "--rows", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Rows per output.")
@click.option("--parser", metavar="P", help="Read with this parser: its name, or a .py file or folder.")
@click.option("--option", "options", multiple=True, metavar="K=V", help="An option of the parser.")
@click.option("--columns", metavar="L", help="Only these columns, in this order: a,b,c.")
@click.option("--contract", metavar="FILE", help="Types as this contract file says; infer --write makes one.")
@click.option("--raw", "is_raw", is_flag=True, help="The first lines as they stand in the file, read by no parser.")
@pass_face
def command(
    face: Face, file: str, rows: int, options: tuple[str, ...], columns: str | None, is_raw: bool, **wanted: Any
) -> int:
    """The first rows of a file with their types, what was detected, and what would be rejected.

    Where the table has a contract, it judges the rows, and closes what it closes in the table.
    """
    from casparian_flow.clients.cli.options import options_of
    from casparian_flow.operations.file.inspect import PreviewFile

    if is_raw:
        return _show_raw(face, file, rows)
    chosen = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
    request = PreviewFile(path=file, rows=rows, options=options_of(options), columns=chosen, **wanted)
    reply = face.ask("preview", request)
    face.show("casparian.preview/1", reply, _lines(face, reply))
    return 1 if reply.error else 0


def _show_raw(face: Face, file: str, lines: int) -> int:
    from casparian_flow.operations.file.look import ReadLines

    reply = face.ask("preview.raw", ReadLines(path=file, lines=lines))
    shown = [f"{line.number:>6}  {plain(line.text)}{face.paper.mark if line.is_cut else ''}" for line in reply.lines]
    more = [f"{face.paper.mark} there is more"] if reply.is_cut else []
    face.show("casparian.preview.raw/1", reply, [f"{plain(reply.path)} as {plain(reply.encoding)}", *shown, *more])
    return 0


def _lines(face: Face, reply: Preview) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"{plain(reply.path)} read by {plain(reply.parser)}"
    for verdict in reply.verdicts:
        runner_up = f", else {plain(verdict.runner_up)}" if verdict.runner_up else ""
        yield f"  {plain(verdict.name)}: {plain(verdict.value)} ({verdict.confidence:.0%}{runner_up})"
    for output in reply.outputs:
        yield ""
        under = "" if output.version is None else f" (contract version {output.version})"
        yield f"table {plain(output.table)}{under}: " + ", ".join(
            f"{plain(name)} {kind}" for name, kind in zip(output.columns, output.types, strict=True)
        )
        rows = [dict(zip(output.columns, row, strict=True)) for row in output.rows]
        yield from table_lines(rows, [Column(name) for name in output.columns], face.paper)
        if output.rejected:
            yield ""
            yield "would be rejected:"
            yield from table_lines(map(to_builtins, output.rejected), REJECTED, face.paper)
    for line in reply.printed:
        yield f"the parser wrote: {plain(line)}"
    if reply.error:
        yield f"stopped: {plain(reply.error)}"
    elif reply.is_cut:
        yield "… there is more"
