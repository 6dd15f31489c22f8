"""`casparian quarantine`: rows that did not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.caret import caret_lines
from casparian_flow.clients.cli.commands import replay
from casparian_flow.clients.cli.face import Face, pass_face, pass_face_to_setter
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, instead, shared_options
from casparian_flow.clients.cli.proposal_lines import proposal_lines
from casparian_flow.clients.cli.render import Column, Kind, Paper, counted, plain
from casparian_flow.clients.cli.table import Room, shorten
from casparian_flow.core.errors import UsageError

if TYPE_CHECKING:
    from casparian_flow.operations.quarantine.causes import GroupEntry
    from casparian_flow.operations.quarantine.raw import RawRecord, RawRecords
    from casparian_flow.operations.quarantine.rows import GroupDetail, RejectedRow

MOST_ROWS = 10_000
COLUMNS = (
    Column("group", room=Room.KEPT),
    Column("rows", Kind.COUNT),
    Column("files", Kind.COUNT),
    Column("state"),
    Column("owner", room=Room.DROPPED),
    Column("table"),
    Column("code", room=Room.KEPT),
    Column("column"),
    Column("message"),
    Column("sample", longest=60, room=Room.DROPPED),
    Column("first_seen", Kind.DAY, title="FIRST", room=Room.DROPPED),
    Column("last_seen", Kind.DAY, title="LAST", room=Room.DROPPED),
    Column("fix", room=Room.KEPT),
)
STATES = ("open", "triaged", "fix_ready", "replayed", "waived", "purged")
LONGEST_SHOWN = 400
"""Of what a row held; the header of a binary file is thousands of zero bytes."""


@click.group("quarantine", cls=Noun)
@shared_options
def command() -> None:
    """Rows that did not fit, grouped by cause."""


command.add_command(replay.start)


@command.command("list")
@click.option("--table", metavar="T", help="Of this table.")
@click.option("--code", metavar="C", help="With this code.")
@click.option("--state", type=click.Choice(STATES), help="In this state; else what somebody has to deal with.")
@click.option("--owner", metavar="W", help="That this person looks after.")
@pass_face
def list_(face: Face, table: str | None, code: str | None, state: str | None, owner: str | None) -> None:
    """The causes that keep rows in quarantine, the largest first."""
    from msgspec import to_builtins

    from casparian_flow.core.quarantine import EntryState
    from casparian_flow.operations.quarantine.causes import GroupEntry, ListGroups

    chosen = None if state is None else EntryState(state)
    reply = face.ask("quarantine.list", ListGroups(table=table, code=code, state=chosen, owner=owner))
    commands = face.show_list("casparian.quarantine/1", "groups", reply.groups, COLUMNS, GroupEntry, next=_after)
    if face.paper.format == "table":
        is_chosen = any(given is not None for given in (table, code, state, owner))
        if commands:
            face.note(f"next: {commands[0]}")
        elif not (reply.groups or is_chosen):
            face.note("no row waits in quarantine")
        elif not reply.groups or any(_after(to_builtins(group)) for group in reply.groups):
            face.note("no cause fits")


def _after(group: Mapping[str, Any]) -> list[str]:
    """What shows a cause: of one whose rows were erased there is nothing to show."""
    return [] if group["purge"] else [f"casparian quarantine show {group['group']}"]


@command.command("show")
@click.argument("group")
@click.option(
    "-n", "--rows", type=click.IntRange(1, MOST_ROWS), default=20, show_default=True, help="At most so many rows."
)
@click.option("--raw", is_flag=True, help="The bytes as they stand in the source, with a caret under the fault.")
@click.option("--reveal", is_flag=True, help="As --raw, also where columns are closed; needs a key and --reason.")
@click.option("--reason", metavar="TEXT", default="", help="Why they are revealed; kept with who asked.")
@pass_face
def show(face: Face, group: str, rows: int, raw: bool, reveal: bool, reason: str) -> None:
    """The rows of one group as they were, with every reason."""
    if reveal:
        from casparian_flow.operations.quarantine.raw import RevealRaw

        shown = face.ask("quarantine.reveal", RevealRaw(group=group, rows=rows, reason=reason))
        face.show("casparian.quarantine-raw/1", shown, _raw_lines(shown, face.paper))
        return
    if raw:
        from casparian_flow.operations.quarantine.raw import AskRaw

        found = face.ask("quarantine.raw", AskRaw(group=group, rows=rows))
        face.show("casparian.quarantine-raw/1", found, _raw_lines(found, face.paper))
        return
    from casparian_flow.operations.quarantine.rows import ShowGroup

    reply = face.ask("quarantine.show", ShowGroup(group=group, rows=rows))
    face.show("casparian.quarantine-group/1", reply, _lines(reply, face.paper.mark))


@command.command("triage")
@click.argument("group")
@click.option("--owner", metavar="W", help="Who looks after it; nothing takes the owner away.")
@click.option("--note", metavar="T", help="What is known about it.")
@click.option("--state", type=click.Choice(STATES[:2]), default="triaged", show_default=True, help="Where it stands.")
@dry_run_option
@pass_face
def triage(face: Face, group: str, owner: str | None, note: str | None, state: str) -> None:
    """Say whose a cause is, and what is known about it."""
    from casparian_flow.core.quarantine import EntryState
    from casparian_flow.operations.quarantine.causes import TriageGroup

    asked = TriageGroup(group=group, owner=owner, note=note, state=EntryState(state))
    reply = face.ask("quarantine.triage", asked)
    face.show("casparian.quarantine-cause/1", reply, _head(reply.group))


@command.command("repair")
@click.argument("row")
@click.option("--set", "values", multiple=True, metavar="COLUMN=VALUE", help="What a column is to hold; repeat it.")
@click.option("--null", "nulls", multiple=True, metavar="COLUMN", help="A column that is to hold nothing; repeat it.")
@click.option("--reason", required=True, metavar="T", help="Kept with the repair.")
@click.option("--table", metavar="T", help="Where several tables have a row of that place.")
@pass_face_to_setter
def repair(
    face: Face, row: str, values: tuple[str, ...], nulls: tuple[str, ...], reason: str, table: str | None
) -> None:
    """Put the values of one rejected row right: ROW is HASH:RECORD or FILE:RECORD. The next run takes them in."""
    from casparian_flow.clients.cli.commands.repair import repair_lines
    from casparian_flow.operations.quarantine.repairs import RepairRow

    wanted = _assigned(values, nulls)
    reply = face.ask("quarantine.repair", RepairRow(row=row, values=wanted, reason=reason, table=table))
    face.show("casparian.repair/1", reply, repair_lines(reply))


@command.command("waive")
@click.argument("group")
@click.option("--reason", required=True, metavar="T", help="Why the rows are given up; those who decide read it.")
@pass_face
def waive(face: Face, group: str, reason: str) -> None:
    """Ask that the rows of a group which wait now are given up; they stay in quarantine, and count no more."""
    from casparian_flow.operations.quarantine.waiver import WaiveGroup

    reply = face.ask("quarantine.waive", WaiveGroup(group=group, reason=reason))
    face.show("casparian.proposal/1", reply, proposal_lines(face, reply))


@command.command("purge")
@click.argument("group")
@click.option("--reason", required=True, metavar="T", help="Why the rows are erased; those who decide read it.")
@pass_face
def purge(face: Face, group: str, reason: str) -> None:
    """Ask that the rows of a group which are in quarantine now are erased for good, from every target and the home."""
    from casparian_flow.operations.quarantine.purge import PurgeGroup

    reply = face.ask("quarantine.purge", PurgeGroup(group=group, reason=reason))
    face.show("casparian.proposal/1", reply, proposal_lines(face, reply))


@command.command("export")
@click.argument("group")
@click.argument("out")
@pass_face
def export(face: Face, group: str, out: str) -> None:
    """Write all rows of one group to OUT: a .parquet, .csv, .jsonl or .duckdb file."""
    from casparian_flow.operations.quarantine.rows import ExportGroup

    reply = face.ask("quarantine.export", ExportGroup(group=group, to=out))
    face.show("casparian.quarantine-export/1", reply, [f"{counted(reply.rows, 'row')} written to {plain(reply.path)}"])


def _head(group: GroupEntry) -> Iterator[str]:
    rows, files = counted(group.rows, "row"), counted(group.files, "file")
    yield f"{rows} in {files} of table {plain(group.table)}: {plain(group.message)}"
    since = f"seen {group.first_seen[:10]} to {group.last_seen[:10]}, " if group.first_seen and group.last_seen else ""
    owner = f"{plain(group.owner)}'s" if group.owner else "nobody's"
    yield f"{plain(group.state)}, {owner}, {since}{counted(group.age_days, 'day')} old"
    if group.note:
        yield f"note: {plain(group.note)}"
    if group.fix:
        yield f"fix: {plain(group.fix)}"
    if group.proposal:
        yield f"a change of the contract is drafted for it: casparian approval show {plain(group.proposal)}"


def _lines(detail: GroupDetail, mark: str) -> Iterator[str]:
    group = detail.group
    yield from _head(group)
    for row in detail.rows:
        yield ""
        yield _place(row) + (f", row {row.row}" if row.row else "")
        for reason in row.errors or [row.message]:
            yield f"  {shorten(plain(reason), LONGEST_SHOWN, mark)}"
        for name, text in (("values", row.values), ("raw", row.raw)):
            if text:
                yield f"  {name}: {shorten(plain(text), LONGEST_SHOWN, mark)}"
    yield from _left(group.group, group.rows - len(detail.rows), len(detail.rows), "")


def _raw_lines(found: RawRecords, paper: Paper) -> Iterator[str]:
    for record in found.records:
        yield f"{_place(record)}  {shorten(plain(record.reason), LONGEST_SHOWN, paper.mark)}"
        if record.is_closed:
            yield "  its table has closed columns: --reveal --reason TEXT shows it to who may decide"
        elif record.trouble is not None:
            yield f"  not shown: {plain(record.trouble)}"
        else:
            yield from caret_lines(paper, record.text, record.fault_start, record.fault_end)
    yield from _left(found.group, found.left, len(found.records), " --raw")


def _place(record: RawRecord | RejectedRow) -> str:
    where = f"bytes {record.start}-{record.end}" if record.start is not None else plain(record.locator or "")
    return f"{plain(record.path)} record {record.source_row} {where}".rstrip()


def _left(group: str, left: int, shown: int, option: str) -> Iterator[str]:
    if left <= 0:
        return
    yield ""
    most = min(left + shown, MOST_ROWS)
    further = f"show {group}{option} --rows {most}" if shown < most else f"export {group} OUT.csv"
    yield f"{left:,} more: casparian quarantine {further}"


def _assigned(texts: tuple[str, ...], nulls: tuple[str, ...]) -> dict[str, str | None]:
    """What each column is to hold; raises UsageError where two values are given for one."""
    found: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{text!r} is not COLUMN=VALUE", fix=instead("--set", f"{name or 'COLUMN'}=VALUE", text))
        if name in found:
            raise UsageError(f"{name} is set twice", fix=instead("--set", text, name))
        found[name] = value
    if both := sorted(set(found) & set(nulls)):
        raise UsageError(f"{both[0]} is to hold a value, and nothing", fix="leave one of them out")
    return found | dict.fromkeys(nulls)
