"""`casparian lineage`: what runs did, for tools that follow data from system to system."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import plain


@click.group("lineage", cls=Noun)
@shared_options
def command() -> None:
    """What runs did, as events of OpenLineage."""


@command.command("export")
@click.argument("to", metavar="FILE")
@click.option("--since", metavar="T", help="Only runs that ended since 24h, 7d, 2026-03-02, …")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@pass_face
def export(face: Face, to: str, since: str | None, overwrite: bool) -> None:
    """Write every run with its jobs, files and tables, one event a line; - is standard output.

    The setting lineage.file has the same written by itself whenever a run ends.
    """
    from casparian_flow.operations.lineage.events import ExportLineage

    reply = face.ask("lineage.export", ExportLineage(to=to, since=since, overwrite=overwrite))
    if reply.path is not None:
        said = f"{reply.events:,} events of {reply.runs:,} runs: written to {plain(reply.path)}"
        face.show("casparian.lineage-export/1", reply, [said])
