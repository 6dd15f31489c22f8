"""`casparian approval`: the inbox of every change that a person has to decide."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.commands.approve import command as approve_command
from casparian_flow.clients.cli.commands.reject import command as reject_command
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.proposal_lines import enough_lines, proposal_lines
from casparian_flow.clients.cli.render import Column, plain
from casparian_flow.clients.cli.render import Kind as Shown
from casparian_flow.clients.cli.table import Room
from casparian_flow.core.proposals import Kind, State

COLUMNS = (
    Column("id", room=Room.KEPT),
    Column("kind", room=Room.DROPPED),
    Column("table"),
    Column("what", room=Room.KEPT),
    Column("state"),
    Column("risk"),
    Column("proposed_by", title="BY"),
    Column("rows", Shown.COUNT),
    Column("files", Shown.COUNT),
    Column("approvals", Shown.COUNT, title="YES"),
    Column("enough", Shown.COUNT, title="OF"),
    Column("is_self_approved", title="SELF", room=Room.DROPPED),
)


@click.group("approval", cls=Noun)
@shared_options
def command() -> None:
    """What waits for a person: contracts, amendments, parsers, replays, purges, waivers."""


@command.command("list")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Only proposals of this kind.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in State]),
    help="In this state; may be repeated. Without, those that can still be decided; --all shows every one.",
)
@pass_face
def list_(face: Face, kind: str | None, states: tuple[str, ...]) -> None:
    """Proposals, those that wait for a decision first."""
    from casparian_flow.operations.approval.proposals import ListProposals, ProposalEntry

    wanted = tuple(State) if face.options.all and not states else tuple(map(State, states))
    request = ListProposals(kind=None if kind is None else Kind(kind), states=wanted)
    reply = face.ask("approval.list", request)
    face.show_list("casparian.proposals/1", "proposals", reply.proposals, COLUMNS, ProposalEntry)
    for line in enough_lines(reply.proposals):
        face.note(line)


@command.command("show")
@click.argument("proposal")
@pass_face
def show(face: Face, proposal: str) -> None:
    """One proposal, such as A-8, and what speaks for it."""
    from casparian_flow.operations.approval.proposals import ShowProposal

    reply = face.ask("approval.show", ShowProposal(proposal=proposal))
    face.show("casparian.proposal/1", reply, proposal_lines(face, reply))


command.add_command(approve_command)
command.add_command(reject_command)


@command.command("withdraw")
@click.argument("proposal")
@click.option("--reason", default="", metavar="TEXT", help="Kept with it.")
@pass_face
def withdraw(face: Face, proposal: str, reason: str) -> None:
    """Take PROPOSAL back: nobody is to decide it any more."""
    from casparian_flow.operations.approval.proposals import WithdrawProposal

    reply = face.ask("approval.withdraw", WithdrawProposal(proposal=proposal, reason=reason))
    face.show("casparian.withdrawal/1", reply, [f"{reply.proposal.id} is withdrawn by {plain(reply.decided_by)}"])
