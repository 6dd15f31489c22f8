"""`casparian token`: who may ask the control API over the network."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain
from casparian_flow.core.scopes import Scope

COLUMNS = (
    Column("name"),
    Column("scopes"),
    Column("is_in_force"),
    Column("made", Kind.TIME),
    Column("expires", Kind.TIME),
    Column("used", Kind.TIME),
)


@click.group("token", cls=Noun)
@shared_options
def command() -> None:
    """Tokens for the control API over TCP; on this machine none is needed."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every token, also those that are revoked or expired. Secrets are kept nowhere."""
    from casparian_flow.operations.service.tokens import ListTokens, TokenEntry

    reply = face.ask("token.list", ListTokens())
    face.show_list("casparian.tokens/1", "tokens", reply.tokens, COLUMNS, TokenEntry)


@command.command("add")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it allows: read, operate (changes), approve (contracts), admin (everything). Repeatable.",
)
@click.option("--days", type=int, metavar="N", help="It ends after so many days; without, when it is revoked.")
@pass_face
def add(face: Face, name: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Let somebody ask over the network. The secret is shown this once."""
    from casparian_flow.operations.service.tokens import AddToken

    reply = face.ask("token.add", AddToken(name=name, scopes=tuple(map(Scope, scopes)), days=days))
    lines = [
        f"token     {plain(reply.token.name)}: {' '.join(reply.token.scopes)}",
        f"expires   {reply.token.expires or 'never'}",
        f"secret    {reply.secret}",
    ]
    face.show("casparian.token.added/1", reply, lines)
    face.note("keep the secret now: it is stored nowhere and cannot be shown again")


@command.command("revoke")
@click.argument("name")
@dry_run_option
@pass_face
def revoke(face: Face, name: str) -> None:
    """Put a token out of force at once."""
    from casparian_flow.operations.service.tokens import RevokeToken

    reply = face.ask("token.revoke", RevokeToken(name=name))
    face.show("casparian.token/1", reply, [f"{plain(reply.name)} opens nothing any more"])
