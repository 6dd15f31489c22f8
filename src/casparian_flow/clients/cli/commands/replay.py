"""`casparian replay`: what was read again, and `casparian quarantine replay`, which does it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import options_of, shared_options
from casparian_flow.clients.cli.progress import progress
from casparian_flow.clients.cli.render import Column, Kind, counted, plain, size_text, table_lines
from casparian_flow.clients.cli.replay_lines import WHAT_STAYS, left_out_lines, rows_text, stopped_lines, undo_commands

if TYPE_CHECKING:
    from casparian_flow.operations.rehearsal.replay import ReplayDetail, ReplayEntry, ReplayPlan, ReplayReply

REPLAYS = (
    Column("replay"),
    Column("kind"),
    Column("stage"),
    Column("files", Kind.COUNT),
    Column("done", Kind.COUNT),
    Column("failed", Kind.COUNT),
    Column("differs", Kind.COUNT),
    Column("asked_by"),
    Column("made"),
    Column("reason"),
)
FILES = (
    Column("path"),
    Column("outcome"),
    Column("accepted_before", Kind.COUNT),
    Column("accepted", Kind.COUNT),
    Column("quarantined_before", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("message"),
)


@click.group("replay", cls=Noun)
@shared_options
def command() -> None:
    """What was read again after a fix: `casparian quarantine replay` begins one."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """The replays, newest first."""
    from casparian_flow.operations.rehearsal.replay import ListReplays, ReplayEntry

    reply = face.ask("replay.list", ListReplays())
    face.show_list("casparian.replays/1", "replays", reply.replays, REPLAYS, ReplayEntry)


@command.command("show")
@click.argument("replay")
@pass_face
def show(face: Face, replay: str) -> None:
    """One replay and what became of each of its files."""
    from casparian_flow.operations.rehearsal.replay import ShowReplay

    reply = face.ask("replay.show", ShowReplay(replay=replay))
    face.show("casparian.replay.detail/1", reply, _detail_lines(face, reply))


@click.command("replay")
@click.argument("groups", nargs=-1, required=True, metavar="GROUP...")
@click.option(
    "--option", "options", multiple=True, metavar="K=V", help="Read with this option of the parser, for good."
)
@click.option("--dry-run", is_flag=True, help="Only show what would be read again.")
@click.option(
    "--canary",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    metavar="N",
    help="So many files go first.",
)
@click.option("--reason", default="", metavar="TEXT", help="Kept with the replay.")
@pass_face
def start(
    face: Face, groups: tuple[str, ...], options: tuple[str, ...], dry_run: bool, canary: int, reason: str
) -> int:
    """Read the rows of GROUP again after a fix: a few files first, the rest if these come out well."""
    from casparian_flow.operations.rehearsal.replay import PlanReplay, StartReplay

    given = options_of(options)
    if dry_run:
        plan = face.ask("replay.plan", PlanReplay(groups=groups, options=given))
        face.show("casparian.replay-plan/1", plan, _plan_lines(plan))
        return 0
    with progress(face) as report:
        request = StartReplay(groups=groups, options=given, canary=canary, reason=reason)
        reply = face.ask("replay.start", request, report)
    face.show("casparian.replay/1", reply, _lines(reply))
    if reply.proposal is not None:
        return 4
    return 3 if _is_rejecting(reply) or (reply.replay is not None and reply.replay.failed) else 0


def _plan_lines(plan: ReplayPlan) -> Iterator[str]:
    if not plan.files:
        yield from _nothing(plan)
        return
    given = "".join(
        f" --option {shlex.quote(plain(f'{name}={value}'))}" for name, value in sorted(plan.options.items())
    )
    files, rows = counted(plan.files, "file"), counted(plan.rows, "rejected row")
    yield f"{files}, {size_text(plan.bytes)}, with {rows}: {plain(plan.parser)} reads them again"
    yield (
        f"{plan.tried:,} tried: {counted(plan.passes, 'row')} released, {plan.fails:,} in quarantine, "
        f"{plan.accepted_lost:,} accepted ones lost, {plan.accepted_changed:,} changed"
    )
    if plan.new_codes:
        yield f"new codes {' '.join(map(plain, plan.new_codes))}"
    yield from left_out_lines(plan.left_out)
    yield from left_out_lines(plan.failures)
    if plan.unchanged:
        yield f"{plan.unchanged:,} more would come out as they did and are not read"
    yield from _reopened(plan)
    if plan.why is not None:
        yield f"nothing to replay: {plain(plan.why)}"
        yield f"next      casparian quarantine show {plain(plan.causes[0])} --raw"
        return
    if plan.needs_approval:
        yield "it has to be approved first: the replay proposes it"
    yield f"next      casparian quarantine replay {' '.join(map(plain, plan.causes))}{given}"


def _lines(reply: ReplayReply) -> Iterator[str]:
    replay = reply.replay
    if reply.proposal is not None:
        yield f"{reply.proposal} is proposed: {plain(reply.why)}"
        yield f"next      casparian approval show {reply.proposal}"
        return
    if replay is None:
        yield from _nothing(reply)
        return
    over = replay.done + replay.failed + replay.differs
    yield f"replay {replay.replay} is {replay.stage}: {over:,} of {counted(replay.files, 'file')} read again"
    yield f"rows      {rows_text(reply)}"
    if replay.failed:
        yield f"failed    {replay.failed:,}: {plain(replay.stop_reason or '')}"
    yield from left_out_lines(reply.left_out)
    yield from _reopened(reply)
    yield f"next      {'casparian quarantine' if _is_rejecting(reply) else f'casparian replay show {replay.replay}'}"


def _reopened(found: ReplayPlan | ReplayReply) -> Iterator[str]:
    if found.reopens:
        yield (
            f"the next run reads {counted(found.reopens, 'other file')} of the same tables with these options, too, "
            "which may change accepted rows: casparian plan names them"
        )


def _is_rejecting(reply: ReplayReply) -> bool:
    return bool(reply.still_failing or reply.newly_rejected)


def _nothing(found: ReplayPlan | ReplayReply) -> Iterator[str]:
    yield "nothing to replay"
    yield plain(found.why)
    yield from left_out_lines(found.left_out)
    if found.unchanged:
        yield "change one of these first: --option K=V, a new version of the parser, or the contract"


def _detail_lines(face: Face, detail: ReplayDetail) -> Iterator[str]:
    from msgspec import to_builtins

    yield from _entry_lines(detail.replay)
    if detail.replay.stop_reason and detail.stopped is None:
        yield f"failed    {plain(detail.replay.stop_reason)}"
    yield ""
    yield from table_lines(map(to_builtins, detail.files), FILES, face.paper)
    if (left := detail.replay.files - len(detail.files)) > 0:
        yield f"and {left:,} more files"
    if over := [file for file in detail.files if file.carried and file.bytes_read is not None]:
        read, size = (size_text(sum(number)) for number in zip(*((f.bytes_read, f.size) for f in over), strict=True))
        rows = counted(sum(file.carried for file in over), "accepted row")
        yield f"read      {read} of {size} of {counted(len(over), 'file')}; {rows} taken over"
    if detail.stopped is not None:
        yield ""
        yield from stopped_lines(detail.stopped)
    if detail.before:
        yield ""
        yield from (f"undo      {command}" for command in undo_commands(detail.before))
        yield WHAT_STAYS


def _entry_lines(replay: ReplayEntry) -> Iterator[str]:
    yield f"replay    {replay.replay}, {replay.kind}, {replay.stage}, by {plain(replay.asked_by)} at {replay.made}"
    yield f"causes    {' '.join(map(plain, replay.causes))}"
    for name, value in sorted(replay.options.items()):
        yield f"option    {plain(name)}={plain(value)}"
    if replay.reason:
        yield f"reason    {plain(replay.reason)}"
