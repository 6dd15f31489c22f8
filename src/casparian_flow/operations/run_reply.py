"""What a run answers: what became of every file, and what it brought to each table."""

from __future__ import annotations

from casparian_flow.operations.registry import Reply


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


class RunReply(Reply, frozen=True, kw_only=True):
    """What the run did. `outcome` is completed, quarantined, aborted, failed_files, or approval.

    It is `aborted` where jobs were cancelled and nothing worse happened. `sinks` could be written to. `held` is the
    first of the files that were skipped as `held_by_policy`.
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
    open_quarantine: int
    gave_up: int
    held: str | None
    recovered: int
    sinks: list[str]
    seconds: float
