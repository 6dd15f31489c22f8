"""`casparian output`: the tables that landed, their history, the way back, and fewer files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, counted, plain, size_text, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.output.compact import Compacted, CompactionPlan
    from casparian_flow.operations.output.outputs import OutputDetail
    from casparian_flow.operations.output.revert import RevertPlan

OUTPUTS = (
    Column("table"),
    Column("rows", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("contract"),
    Column("files", Kind.COUNT),
    Column("jobs", Kind.COUNT),
    Column("snapshots", Kind.COUNT),
    Column("last", Kind.TIME),
    Column("sink"),
)
COMMITS = (
    Column("snapshot"),
    Column("at", Kind.TIME),
    Column("action"),
    Column("jobs"),
    Column("added", Kind.COUNT),
    Column("removed", Kind.COUNT),
    Column("rows", Kind.COUNT),
    Column("quarantine_removed", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("reverts_to"),
    Column("reverts_job"),
    Column("actor"),
    Column("reason"),
)
FIELDS = (Column("name"), Column("type"), Column("contract"), Column("nullable"))

sink_option = click.option("--sink", metavar="URI", help="The sink that is meant, where several hold the table.")


@click.group("output", cls=Noun)
@shared_options
def command() -> None:
    """The tables that landed, in every sink: where they are, their history, and the way back."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every table in every sink."""
    from casparian_flow.operations.output.outputs import ListOutputs, OutputEntry

    reply = face.ask("output.list", ListOutputs())
    face.show_list("casparian.outputs/1", "outputs", reply.outputs, OUTPUTS, OutputEntry)


@command.command("show")
@click.argument("table")
@sink_option
@pass_face
def show(face: Face, table: str, sink: str | None) -> None:
    """One table: its columns, where it lies, its newest commits, and how to read it elsewhere."""
    from casparian_flow.operations.output.outputs import ShowOutput

    reply = face.ask("output.show", ShowOutput(table=table, sink=sink))
    face.show("casparian.output/1", reply, _lines(face, reply))


def _lines(face: Face, detail: OutputDetail) -> Iterator[str]:
    output = detail.output
    erased = f", {output.purged:,} erased" if output.purged else ""
    yield f"table     {plain(output.table)}: {output.rows:,} rows, {output.quarantined:,} in quarantine{erased}"
    yield f"sink      {plain(output.sink)}"
    yield f"place     {plain(detail.place)}" + ("" if detail.size is None else f" ({size_text(detail.size)})")
    if output.contract is not None:
        yield f"contract  version {output.contract}, {plain(detail.origin)}"
    yield f"snapshot  {output.snapshot}, the newest of {output.snapshots}"
    if detail.trouble:
        yield f"trouble   {plain(detail.trouble)}"
    if detail.columns:
        yield ""
        yield from _table(face, detail.columns, FIELDS)
    yield ""
    yield from _table(face, detail.newest, COMMITS[:9])
    for each in detail.read:
        yield ""
        yield f"read it with {plain(each.tool)}:"
        yield f"  {plain(each.text)}"


def _table(face: Face, items: list[Any], columns: tuple[Column, ...]) -> Iterator[str]:
    from msgspec import to_builtins

    return table_lines(map(to_builtins, items), columns, face.paper)


@command.command("history")
@click.argument("table")
@sink_option
@pass_face
def history(face: Face, table: str, sink: str | None) -> None:
    """Every commit of a table, newest first: what it added and removed, and which snapshot it made."""
    from casparian_flow.operations.output.history import HistoryEntry, ShowHistory

    reply = face.ask("output.history", ShowHistory(table=table, sink=sink))
    face.show_list("casparian.output-history/1", "commits", reply.commits, COMMITS, HistoryEntry)


@command.command("compact")
@click.argument("table")
@sink_option
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@pass_face
def compact(face: Face, table: str, sink: str | None, dry_run: bool) -> None:
    """Merge the small files of a table, so that it is read faster; its rows and its past stay as they are."""
    from casparian_flow.operations.output.compact import CompactOutput, PlanCompaction

    if dry_run:
        plan = face.ask("output.plan_compact", PlanCompaction(table=table, sink=sink))
        face.show("casparian.compaction-plan/1", plan, _compaction_lines(plan))
        return
    reply = face.ask("output.compact", CompactOutput(table=table, sink=sink))
    face.show("casparian.compaction/1", reply, _compacted_lines(reply))


def _compaction_lines(plan: CompactionPlan) -> Iterator[str]:
    held = _held(plan.files, plan.size)
    if not plan.merges:
        yield f"{plain(plan.table)} has {held} in {plain(plan.sink)}: none of them is worth merging"
        return
    yield f"{plain(plan.table)} has {held} in {plain(plan.sink)}"
    for each in plan.merges:
        left_out = f"; {each.left_out:,} superseded rows stay behind" if each.left_out else ""
        yield (
            f"{each.role:<10} {_held(each.files, each.size)} of contract version {each.contract} "
            f"become one of {each.rows:,} rows{left_out}"
        )


def _compacted_lines(reply: Compacted) -> Iterator[str]:
    if reply.made is None:
        yield f"{plain(reply.plan.table)}: no files were worth merging in {plain(reply.plan.sink)}"
        return
    before, after = reply.plan, _held(reply.files, reply.size)
    yield f"{plain(before.table)} is in {after} now, before in {before.files:,} ({size_text(before.size)})"
    yield f"this is snapshot {reply.made}; the rows are the same, and the old files stay for --as-of and revert"


def _held(files: int, size: int) -> str:
    return f"{files:,} {'file' if files == 1 else 'files'} ({size_text(size)})"


@command.command("revert")
@click.argument("table")
@click.argument("snapshot")
@sink_option
@click.option("--reason", default="", metavar="TEXT", help="Kept with the commit.")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@pass_face
def revert(face: Face, table: str, snapshot: str, sink: str | None, reason: str, dry_run: bool) -> None:
    """Take a table back to SNAPSHOT of its history, @-1 for the one before the last; nothing is deleted."""
    from casparian_flow.operations.output.revert import PlanRevert, RevertOutput

    plan = face.ask("output.plan_revert", PlanRevert(table=table, snapshot=snapshot, sink=sink))
    if dry_run:
        face.show("casparian.revert-plan/1", plan, _plan_lines(plan))
        return
    face.confirm("\n".join(_plan_lines(plan)), plain(table))
    request = RevertOutput(table=table, snapshot=str(plan.snapshot), sink=plan.sink, reason=reason, newest=plan.newest)
    reply = face.ask("output.revert", request)
    face.show(
        "casparian.revert/1",
        reply,
        [
            f"{plain(table)} shows snapshot {reply.plan.snapshot} again: {reply.plan.rows_after:,} rows",
            f"this is snapshot {reply.made}; undo it with: casparian output revert {plain(table)} {reply.plan.newest}",
        ],
    )


def _plan_lines(plan: RevertPlan) -> Iterator[str]:
    yield f"{plain(plan.table)} goes from snapshot {plan.newest} back to {plan.snapshot} in {plain(plan.sink)}"
    yield (
        f"rows       {plan.rows_before:,} to {plan.rows_after:,}: "
        f"{plan.rows_out:,} go out, {plan.rows_back:,} come back"
    )
    yield f"quarantine {plan.quarantined_before:,} to {plan.quarantined_after:,}"
    yield f"jobs       {len(plan.jobs_out):,} go out, {len(plan.jobs_back):,} come back"
    if plan.held:
        are = "is held: a run reads it" if plan.held == 1 else "are held: a run reads them"
        yield f"afterwards {counted(plan.held, 'file')} {are} again only with --force"
