"""`casparian inspect`: what one file is."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Kind, plain, readable, size_text


@click.command("inspect")
@click.argument("file")
@click.option("--hex", "shows_hex", is_flag=True, help="Show the first bytes in hexadecimal.")
@pass_face
def command(face: Face, file: str, shows_hex: bool) -> None:
    """What a file is by its bytes, and which parser would read it."""
    from casparian_flow.operations.inspect import InspectFile

    reply = face.ask("inspect", InspectFile(path=file))
    lines = [
        f"path     {plain(reply.path)}",
        f"size     {size_text(reply.size)}",
        f"changed  {readable(reply.mtime, Kind.TIME)}",
        f"hash     {reply.source_hash}",
        f"content  {plain(reply.content)}: {plain(reply.reason)}",
        f"parser   {reply.parser or 'none'}",
        f"table    {reply.table}",
    ]
    if shows_hex:
        digits = reply.head.split()
        lines += ["", *(f"{at:08x}  {' '.join(digits[at : at + 16])}" for at in range(0, len(digits), 16))]
    face.show("casparian.inspect/1", reply, lines)
