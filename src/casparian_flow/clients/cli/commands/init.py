"""`casparian init`: a case folder."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import plain


@click.command("init")
@click.argument("folder", default=".", metavar="[DIR]")
@pass_face
def command(face: Face, folder: str) -> None:
    """Make a case folder in DIR: commands in and below it keep everything there."""
    from casparian_flow.operations.init import InitCase

    reply = face.ask("init", InitCase(folder=folder))
    face.show("casparian.init/1", reply, [f"{plain(reply.home)} {'is ready' if reply.is_new else 'was there already'}"])
