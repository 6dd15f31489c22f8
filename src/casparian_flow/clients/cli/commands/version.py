"""`casparian version`."""

import platform

import click

from casparian_flow import __version__
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import write_record


@click.command("version")
@pass_face
def command(face: Face) -> None:
    """The version of the product."""
    record = {"version": __version__, "python": platform.python_version(), "platform": platform.platform()}
    write_record(face.paper, "casparian.version/1", record, [f"casparian {__version__}"], is_plain=True)
