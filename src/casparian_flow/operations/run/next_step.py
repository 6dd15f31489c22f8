"""What a person does after a run: one command."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence

from casparian_flow.core.proposals import Kind, State, number_of
from casparian_flow.operations.query.shown_sql import first_rows, rescued_rows
from casparian_flow.operations.run.reply import Drafted, FailedFile, RunReply


def after_run(reply: RunReply, read_again: Collection[str] = ()) -> str:
    """The command that takes on what waits for a person, else what went wrong, else shows what there is now.

    Rescued rows of tables that were `read_again` since are not there any more.
    """
    if reply.waiting:
        return f"casparian contract show {reply.waiting[0].contract}"
    if "awaiting_approval" in reply.skipped:
        return "casparian contract list --state proposed"
    if reply.failures:
        return that_shows(reply.failures)
    if reply.held is not None and not reply.quarantined:
        return f"casparian why {shlex.quote(reply.held)}"
    if reply.open_quarantine:
        return "casparian quarantine"
    if reply.drafted:
        return about_draft(reply.drafted[0])
    if reply.purges:
        return f"casparian approval show {reply.purges[0].proposal}"
    if reply.unread and not reply.tables:
        return f"casparian why {shlex.quote(reply.unread[0])}"
    if rescued := [each.table for each in reply.tables if each.rescued and each.table not in read_again]:
        return rescued_rows(rescued[0])
    if reply.retired:
        return f"casparian output history {reply.retired[0].table}"
    if reply.tables:
        return first_rows(reply.tables[0].table)
    return "casparian tables"


def about_draft(drafted: Drafted) -> str:
    """What takes a change on that files ask for."""
    is_proven_apart = drafted.state == State.DRAFT and number_of(drafted.proposal)[1] is Kind.AMENDMENT
    command = "contract propose" if is_proven_apart else "approval show"
    return f"casparian {command} {drafted.proposal}"


def that_shows(failures: Sequence[FailedFile]) -> str:
    """The command that lists what did not land: a file whose only job was cancelled is skipped, and has not failed."""
    is_cancelled = all(each.state == "aborted" for each in failures)
    return "casparian jobs --state aborted" if is_cancelled else "casparian files --state failed"
