"""`casparian plan`: what a run would do with every file, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.commands.run import brought_back_lines, moved_lines, selection_of, selection_options
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.progress import progress
from casparian_flow.clients.cli.render import Column, Kind, counted, plain, size_text, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.run.plan import PlanGroup, PlanReply

ENTRIES = (
    Column("path"),
    Column("action"),
    Column("reason"),
    Column("detail"),
    Column("parser"),
    Column("tables"),
    Column("size", Kind.SIZE),
)

GROUPS = {"new": "new", "changed": "changed", "reopen": "re-open", "skip": "skip"}


@click.command("plan")
@selection_options
@pass_face
def command(face: Face, /, **given: Any) -> None:
    """What a run would do with every file, and why; saved, so that `run --plan ID` does exactly that."""
    with progress(face) as report:
        reply = _as_set(face, face.ask("plan.make", selection_of(given), report))
    for warning in reply.warnings:
        face.note(f"note: {plain(warning)}")
    face.show("casparian.plan/1", reply, _lines(face, reply))


def _as_set(face: Face, reply: PlanReply) -> PlanReply:
    """The plan with commands that run it under the settings under which it was made: it stands only under these."""
    from msgspec.structs import replace

    words = face.options.set_words
    is_run = reply.next.startswith("casparian run")
    return replace(reply, asked=reply.asked + words, next=reply.next + words if is_run else reply.next)


def _lines(face: Face, reply: PlanReply) -> Iterator[str]:
    from msgspec import to_builtins

    limit = face.limit or len(reply.entries)
    yield from table_lines(map(to_builtins, reply.entries[:limit]), ENTRIES, face.paper)
    if len(reply.entries) > limit:
        yield f"… and {len(reply.entries) - limit} more; --all shows every one"
    yield ""
    yield f"run       {plain(reply.asked)}"
    for kind, name in GROUPS.items():
        if parts := [each for each in reply.groups if each.group == kind]:
            yield f"{name:9} {', '.join(map(_part, parts))}"
    if reply.retire.files:
        rows = f"{counted(reply.retire.rows, 'row')}, {reply.retire.quarantined:,} quarantined"
        yield f"retire    {reply.retire.files:,} ({rows}, of bytes that no file holds any more)"
    yield from moved_lines(reply.moved, "leave")
    yield from brought_back_lines(reply.brought_back)
    for each in reply.subscriptions:
        yield f"tag {plain(each.tag)} to parser {plain(each.parser)}: {each.run:,} to run, {each.skip:,} skipped"
    yield f"plan {reply.plan}: {reply.run_files} files, {size_text(reply.run_bytes)}"
    yield f"next      {plain(reply.next)}"


def _part(group: PlanGroup) -> str:
    """One reason with its files, and how much there is to read."""
    size = "" if group.group == "skip" else f" ({size_text(group.bytes)})"
    reason = "" if group.group in ("new", "changed") else f" {group.reason}"
    return f"{group.files:,}{reason}{size}"
