"""`casparian key`: who may decide in this home."""

from __future__ import annotations

import os

import click

from casparian_flow.clients.cli.deciding import enrol
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain
from casparian_flow.core.errors import UsageError

COLUMNS = (
    Column("key"),
    Column("actor"),
    Column("is_in_force"),
    Column("added", Kind.TIME),
    Column("added_by"),
    Column("revoked", Kind.TIME),
)


@click.group("key", cls=Noun)
@shared_options
def command() -> None:
    """Keys of those who approve; the private half stays in a file of their own."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every key of this home, also those that were revoked."""
    from casparian_flow.operations.approval.keys import KeyEntry, ListKeys

    reply = face.ask("key.list", ListKeys())
    face.show_list("casparian.keys/1", "keys", reply.keys, COLUMNS, KeyEntry)


@command.command("add")
@click.option("--actor", metavar="NAME", help="For whom it decides: a login or the name of a token; else yourself.")
@click.option("--public", metavar="HEX", help="The public half of somebody else's key; else your own, made if need be.")
@pass_face
def add(face: Face, actor: str | None, public: str | None) -> None:
    """Let a key decide in this home: yours, or with --public that of somebody else."""
    from casparian_flow.clients.signing import key_file, made_signer
    from casparian_flow.operations.approval.keys import AddKey

    if public is None:
        path = key_file(os.environ)
        signer = made_signer(path)
        entry = enrol(face, signer, actor)
        face.note(f"the private half is in {path}; keep it safe")
        face.note(f"in another home: casparian key add --actor {plain(entry.actor)} --public {signer.public.hex()}")
    else:
        entry = face.ask("key.add", AddKey(public=_bytes(public), actor=actor))
    face.show("casparian.key/1", entry, [f"key {entry.key} decides for {plain(entry.actor)}"])


@command.command("revoke")
@click.argument("key")
@pass_face
def revoke(face: Face, key: str) -> None:
    """Let KEY decide nothing any more; what it decided and is applied stays."""
    from casparian_flow.operations.approval.keys import RevokeKey

    reply = face.ask("key.revoke", RevokeKey(key=key))
    face.show("casparian.key/1", reply, [f"key {reply.key} of {plain(reply.actor)} decides nothing any more"])


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as exc:
        raise UsageError("a public key is written in hex digits", fix="casparian key add") from exc
