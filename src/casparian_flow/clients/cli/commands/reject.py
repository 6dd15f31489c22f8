"""`casparian reject`: refuse a change, or send it back."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.deciding import reject
from casparian_flow.clients.cli.face import Face, pass_face


@click.command("reject")
@click.argument("proposal")
@click.option("--reason", required=True, metavar="TEXT", help="Kept with the decision, and signed.")
@click.option("--changes", is_flag=True, help="Send it back: it may be changed and proposed again.")
@click.option("--digest", metavar="D", help="Only if the digest that you saw begins so: six characters or more.")
@pass_face
def command(face: Face, proposal: str, reason: str, changes: bool, digest: str | None) -> None:
    """Refuse PROPOSAL, such as A-8."""
    reject(face, proposal, reason, changes=changes, digest=digest)
