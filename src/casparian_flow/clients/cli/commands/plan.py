"""`casparian plan`: what a run would do with every file, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.commands.run import selection_of, selection_options
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.progress import progress
from casparian_flow.clients.cli.render import Column, Kind, plain, size_text, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.plan import PlanReply

ENTRIES = (
    Column("path"),
    Column("action"),
    Column("reason"),
    Column("detail"),
    Column("parser"),
    Column("tables"),
    Column("size", Kind.SIZE),
)


@click.command("plan")
@selection_options
@pass_face
def command(face: Face, /, **given: Any) -> None:
    """What a run would do with every file, and why; saved, so that `run --plan ID` does exactly that."""
    with progress(face) as report:
        reply = face.ask("plan.make", selection_of(given), report)
    for warning in reply.warnings:
        face.note(f"note: {plain(warning)}")
    face.show("casparian.plan/1", reply, _lines(face, reply))


def _lines(face: Face, reply: PlanReply) -> Iterator[str]:
    from msgspec import to_builtins

    limit = face.limit or len(reply.entries)
    yield from table_lines(map(to_builtins, reply.entries[:limit]), ENTRIES, face.paper)
    if len(reply.entries) > limit:
        yield f"… and {len(reply.entries) - limit} more; --all shows every one"
    yield ""
    for what, count in reply.counts.items():
        yield f"{count:>8}  {what}"
    for each in reply.subscriptions:
        yield f"tag {plain(each.tag)} to parser {plain(each.parser)}: {each.run:,} to run, {each.skip:,} skipped"
    yield f"plan {reply.plan}: {reply.run_files} files, {size_text(reply.run_bytes)}"
    yield f"next      casparian run --plan {reply.plan}"
