"""Quarantine: rows that did not fit, grouped by cause, and what is done about each cause."""

from __future__ import annotations

from casparian_flow.core.quarantine import EntryState
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListGroups(Request, frozen=True, kw_only=True):
    """Which groups; what is not given does not restrict, but for the state: those that somebody has to deal with."""

    table: str | None = None
    code: str | None = None
    state: EntryState | None = None
    owner: str | None = None


class GroupEntry(Reply, frozen=True, kw_only=True):
    """Rows with one cause: what they are in, the code, and what one of them looks like.

    `first_seen` and `last_seen` are when a job first and last met the cause, `age_days` how long ago the first time is.
    `state` is that of the entries that are behind most. `fix` is what would likely release the rows.
    `purge` is by which proposal they were erased for good.
    """

    group: str
    table: str
    code: str
    column: str
    shape: str
    rows: int
    files: int
    message: str
    sample: str
    job: str
    parser: str = ""
    state: EntryState = EntryState.OPEN
    owner: str | None = None
    note: str | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    age_days: int = 0
    fix: str | None = None
    proposal: str | None = None
    purge: str | None = None


class GroupList(Reply, frozen=True, kw_only=True):
    """What waits in quarantine, the largest group first; `next` are commands that make sense now."""

    groups: list[GroupEntry]
    rows: int
    next: list[str]


class TriageGroup(Request, frozen=True, kw_only=True):
    """Say whose a cause is, what is known about it, and whether somebody has looked at it.

    What is not given stays; an empty text takes the owner or the note away. The state is `open` or `triaged`, and
    `triaged` unless it is given.
    """

    group: str
    owner: str | None = None
    note: str | None = None
    state: EntryState = EntryState.TRIAGED


class Triaged(Reply, frozen=True, kw_only=True):
    """The group as it is now, and how many of its entries were moved."""

    group: GroupEntry
    moved: int


OPERATIONS = (
    Operation(
        "quarantine.list",
        ListGroups,
        GroupList,
        Effect.READ,
        "quarantine.causes.list_",
        "Rows in quarantine, by cause.",
    ),
    Operation(
        "quarantine.triage",
        TriageGroup,
        Triaged,
        Effect.DRAFT,
        "quarantine.causes.triage",
        "Say whose a cause of rejections is.",
        may_be_tried=True,
    ),
)
