"""`casparian trace`: from rows up to bytes, from files down to rows."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.graph import mermaid_lines, tree_lines
from casparian_flow.core.errors import UsageError


@click.command("trace")
@click.argument("subject", metavar="ROW|FILE|JOB|TABLE")
@click.option("--up", is_flag=True, help="Towards the bytes: job, parser, contract, every place of the file.")
@click.option("--down", is_flag=True, help="Towards the rows: jobs, tables, quarantine, commits, sinks.")
@click.option("--as", "shape", type=click.Choice(("tree", "mermaid")), default="tree", show_default=True)
@pass_face
def command(face: Face, subject: str, up: bool, down: bool, shape: str) -> None:
    """What ROW, FILE, JOB or TABLE comes from and led to; a row is HASH:RECORD, FILE:RECORD or TABLE:JOB:RECORD."""
    from casparian_flow.operations.lineage.trace import AskTrace, Direction

    if up and down:
        raise UsageError("--up and --down exclude each other", fix="casparian trace ROW --up")
    direction = Direction.UP if up else Direction.DOWN if down else None
    reply = face.ask("trace", AskTrace(subject=subject, direction=direction))
    draw = mermaid_lines if shape == "mermaid" else tree_lines
    face.show("casparian.trace/2", reply, draw(reply), is_plain=True)
