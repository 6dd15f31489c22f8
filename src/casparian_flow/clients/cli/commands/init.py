"""`casparian init`: a case folder."""

from __future__ import annotations

import shlex

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import plain


@click.command("init")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--name", metavar="N", help="What the case is called; by default as its folder.")
@click.option("--examiner", metavar="E", help="Who examines it.")
@pass_face
def command(face: Face, folder: str, name: str | None, examiner: str | None) -> None:
    """Make a case folder in DIR: commands in and below it keep everything there."""
    from casparian_flow.core.errors import UsageError
    from casparian_flow.operations.home.init import InitCase

    if face.options.home is not None or face.options.case is not None:
        raise UsageError(
            "init takes no --home and no --case",
            why="a case keeps everything in .casparian in its own folder; any other home is made by its first use",
            fix=f"casparian init {shlex.quote(folder)}",
        )
    reply = face.ask("init", InitCase(folder=folder, name=name, examiner=examiner))
    by = f", examined by {plain(reply.examiner)}" if reply.examiner else ""
    if reply.not_listed:
        face.note(f"note: the list of your cases cannot be kept: {plain(reply.not_listed)}")
    lines = [
        f"{plain(reply.home)} {'is ready' if reply.is_new else 'was there already'}",
        f"case      {plain(reply.name)}{by}",
    ]
    face.show("casparian.init/1", reply, lines)
