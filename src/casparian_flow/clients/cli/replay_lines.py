"""What a replay brought, and how a person takes it back."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from casparian_flow.clients.cli.render import counted, plain

if TYPE_CHECKING:
    from casparian_flow.operations.rehearsal.replay import LeftOut, ReplayReply, StoppedReplay, TableBefore

MOST_SHOWN = 5
"""Files that are not read again, of which a person is told by name."""
WHAT_STAYS = "an undo brings back the rows of that snapshot; the contract stays, and so do options"


def rows_text(reply: ReplayReply) -> str:
    """What became of its rows; those that nothing was wrong with before are told apart."""
    newly = f", {reply.newly_rejected:,} newly rejected" if reply.newly_rejected else ""
    lost = f", {reply.accepted_lost:,} accepted ones lost" if reply.accepted_lost else ""
    return f"{reply.released:,} released, {reply.still_failing:,} still in quarantine{newly}{lost}"


def stopped_lines(stopped: StoppedReplay) -> Iterator[str]:
    """What stopped it, what is in force, how that is taken back, and what goes on."""
    for each in stopped.by:
        yield f"stopped   {plain(each.path)}: {plain(each.why)}"
    if (left := stopped.otherwise - len(stopped.by)) > 0:
        yield f"stopped   and {counted(left, 'more file')}"
    yield f"in force  {counted(stopped.in_force, 'file')}; {counted(stopped.unread, 'file')} not read, as before"
    yield from (f"undo      {plain(command)}" for command in stopped.undo)
    yield f"next      {plain(stopped.next)}"


def undo_commands(before: Sequence[TableBefore]) -> Iterator[str]:
    """One command for each table of a sink; it names the sink where the table is in several."""
    for each in before:
        is_in_several = any(other.table == each.table and other.sink != each.sink for other in before)
        sink = f" --sink {shlex.quote(plain(each.sink))}" if is_in_several else ""
        yield f"casparian output revert {shlex.quote(plain(each.table))} {each.snapshot}{sink}"


def left_out_lines(files: Sequence[LeftOut]) -> Iterator[str]:
    """The first of the files that are not read again, each with the reason."""
    for file in files[:MOST_SHOWN]:
        yield f"left out  {plain(file.path)}: {plain(file.why)}"
    if len(files) > MOST_SHOWN:
        yield f"and {len(files) - MOST_SHOWN:,} more are left out"
