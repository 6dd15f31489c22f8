"""`casparian approve`: agree to a change; with enough who agree it is applied."""

from __future__ import annotations

from typing import Any

import click

from casparian_flow.clients.cli.deciding import approve
from casparian_flow.clients.cli.face import Face, pass_face


@click.command("approve")
@click.argument("proposal")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the decision, and signed.")
@click.option("--digest", metavar="D", help="Only if the digest that you saw begins so: six characters or more.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the runs that it queues.")
@pass_face
def command(face: Face, proposal: str, reason: str, digest: str | None, no_wait: bool) -> int:
    """Agree to PROPOSAL, such as A-8; with enough approvals it is applied at once."""
    from casparian_flow.operations.approval.proposals import ApproveProposal

    def ask(signed: dict[str, Any]) -> Any:
        request = ApproveProposal(proposal=proposal, reason=reason, wait=not no_wait, **signed)
        return face.ask("approval.approve", request)

    return approve(face, proposal, reason, ask=ask, digest=digest)
