"""`casparian repair`: values that a person put right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, to_json

if TYPE_CHECKING:
    from casparian_flow.operations.quarantine.repairs import Repaired

COLUMNS = (
    Column("id"),
    Column("row"),
    Column("path"),
    Column("table"),
    Column("before", longest=60),
    Column("after", longest=60),
    Column("author"),
    Column("reason"),
    Column("made", Kind.DAY),
    Column("revoked", Kind.DAY),
)


@click.group("repair", cls=Noun)
@shared_options
def command() -> None:
    """Values that a person put right; `quarantine repair` makes one."""


@command.command("list")
@click.option("--revoked", is_flag=True, help="Those that hold no more, too.")
@pass_face
def list_(face: Face, revoked: bool) -> None:
    """The repairs that hold, the newest first."""
    from casparian_flow.operations.quarantine.repairs import ListRepairs, RepairEntry

    reply = face.ask("repair.list", ListRepairs(with_revoked=revoked))
    face.show_list("casparian.repairs/1", "repairs", reply.repairs, COLUMNS, RepairEntry)


@command.command("revoke")
@click.argument("repair", type=click.IntRange(1, 2**63 - 1))
@pass_face
def revoke(face: Face, repair: int) -> None:
    """Take a repair back: the next run reads the file as it is."""
    from casparian_flow.operations.quarantine.repairs import RevokeRepair

    reply = face.ask("repair.revoke", RevokeRepair(repair=repair))
    face.show("casparian.repair/1", reply, repair_lines(reply))


def repair_lines(repair: Repaired) -> Iterator[str]:
    """One repair, and what makes it take effect."""
    yield f"repair {repair.id} of {plain(repair.path)}, row {plain(repair.row)}, in {plain(repair.table)}"
    for name, text in repair.after.items():
        before = to_json(repair.before.get(name))
        yield f"  {plain(name)}: {plain(before)} -> {plain(to_json(text))}"
    yield from (f"  {plain(name)}: -> null" for name in repair.nulls)
    yield f"by {plain(repair.author)}: {plain(repair.reason)}" + (", revoked" if repair.revoked else "")
    yield f"next: {plain(repair.next)}"
