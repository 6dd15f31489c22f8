"""What a run answers: what became of every file, and what it brought to each table."""

from __future__ import annotations

from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.operations.registry import Reply
from casparian_flow.operations.rehearsal.replay import ReplayReply
from casparian_flow.operations.run.plan import BroughtBack, MovedRows


class TableResult(Reply, frozen=True, kw_only=True):
    """What this run brought to one table; rows are counted once, however many sinks they went to.

    `rescued` are values for which the table has no column; they stand beside their rows, in `_cf_rescued`.
    """

    table: str
    contract: int
    files: int
    accepted: int
    quarantined: int
    rescued: int
    is_new: bool
    sinks: list[str]


class ColumnNote(Reply, frozen=True, kw_only=True):
    """What is to be said of a column of a new table: such as the one value for which it is text."""

    table: str
    column: str
    note: str


class FailedFile(Reply, frozen=True, kw_only=True):
    """A file whose job did not land, and why."""

    path: str
    job: str
    state: str
    code: str
    message: str
    why: str


class Waiting(Reply, frozen=True, kw_only=True):
    """A proposed contract that a person must decide."""

    table: str
    contract: int


class Drafted(Reply, frozen=True, kw_only=True):
    """A change of a contract that the run's files ask for; nothing changes before a person approves it."""

    proposal: str
    table: str
    what: str
    state: str
    rows: int
    """How many of what `unit` says."""
    unit: str
    """What speaks for it, and is counted: `value` or `row`."""
    files: int


class AppliedChange(Reply, frozen=True, kw_only=True):
    """A change that the run let in by itself, as the drift mode `evolve` says, and the rows that it released."""

    proposal: str
    table: str
    what: str
    released: int
    replays: list[str]


class EmptiedSource(Reply, frozen=True, kw_only=True):
    """A source of which no file is left that brought rows: it may not be mounted, so its policy did nothing.

    `files` are those that are gone and have rows; `command` is what lets the policy act on them.
    """

    source: int
    name: str | None
    root: str
    policy: WhenMissing
    files: int
    command: str


class RetiredRows(Reply, frozen=True, kw_only=True):
    """Rows that left a table as the policy of their source says: their files are gone.

    `rows` are accepted ones; `quarantined` went out of its quarantine.
    """

    table: str
    rows: int
    quarantined: int
    files: int


class WaitingPurge(Reply, frozen=True, kw_only=True):
    """Rows that are erased for good once it is approved."""

    proposal: str
    rows: int
    files: int


class RunReply(Reply, frozen=True, kw_only=True):
    """What the run did. `outcome` is completed, quarantined, aborted, failed_files, or approval.

    `emptied` and `purges` are of the whole home, whichever files were run.
    It is `aborted` where jobs were cancelled and nothing worse happened. `sinks` could be written to. `held` is the
    first of the files that were skipped as `held_by_policy`, `held_why` the reason. `retired` are rows of files that
    are gone, which went out of their tables while this ran. `moved` are rows that left the table they were in, since
    their files were read into another one. `brought_back` are files that were read with `--force` and have landed,
    although a person took rows of theirs out. `unread` are the first of those that hold something which no parser
    reads; `skipped` counts them as `no_parser`. `applied` are changes that were let in by themselves, and rows are
    counted as they are since. `resumed` are replays that a process had left on their way, and that were taken to their
    end first. `next` is the command that a person would go on with.
    """

    plan: str
    outcome: str
    files: int
    run: int
    skipped: dict[str, int]
    completed: int
    failed: int
    aborted: int
    accepted: int
    quarantined: int
    rescued: int
    tables: list[TableResult]
    notes: list[ColumnNote]
    failures: list[FailedFile]
    unreadable: list[str]
    problems: int
    warnings: list[str]
    waiting: list[Waiting]
    drafted: list[Drafted]
    applied: list[AppliedChange]
    emptied: list[EmptiedSource]
    purges: list[WaitingPurge]
    open_quarantine: int
    gave_up: int
    held: str | None
    held_why: str | None
    retired: list[RetiredRows]
    moved: list[MovedRows]
    brought_back: list[BroughtBack]
    unread: list[str]
    recovered: int
    resumed: list[ReplayReply]
    sinks: list[str]
    seconds: float
    next: str
