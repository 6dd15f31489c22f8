"""Replays: rejected rows are read again after something was changed, a few files first."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.core.replays import ReplayKind, ReplayOutcome, ReplayStage
from casparian_flow.operations.registry import Effect, Operation, Reply, Request

MOST_GROUPS = 1000
Groups = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=MOST_GROUPS)]
"""Quarantine groups of one parser, each by its name or a unique beginning of it."""


class PlanReplay(Request, frozen=True, kw_only=True):
    """Whose rows would be read again; `options` beside those that stand for the parser."""

    groups: Groups
    options: dict[str, str] = msgspec.field(default_factory=dict)


class LeftOut(Reply, frozen=True, kw_only=True):
    """A file that would not be read again, and why."""

    path: str
    why: str


class ReplayPlan(Reply, frozen=True, kw_only=True):
    """What a replay would read again; nothing was written. `rows` wait in `files` files of `bytes` bytes.

    `tried` of the files were read to see what comes of them: of their rejected rows so many pass, so many rows fail,
    and so many accepted ones get lost or change; `new_codes` are reasons for which none of them was rejected before,
    `failures` files that could not be read at all. Where it `needs_approval`, somebody has to approve it first.
    `digest` names exactly this: `replay.start` refuses it when something changed meanwhile. `reopens` other files of
    the same tables are read with other options from then on. `why` says why no file would be read.
    """

    digest: str
    parser: str
    causes: list[str]
    options: dict[str, str]
    files: int
    bytes: int
    rows: int
    unchanged: int
    left_out: list[LeftOut]
    tried: int
    passes: int
    fails: int
    accepted_lost: int
    accepted_changed: int
    new_codes: list[str]
    failures: list[LeftOut]
    reopens: int
    needs_approval: bool
    why: str | None = None


class StartReplay(Request, frozen=True, kw_only=True):
    """Whose rows are read again: `canary` files first, the rest if these came out well.

    With a `plan_digest` only if that is still what `replay.plan` would say.
    """

    groups: Groups
    options: dict[str, str] = msgspec.field(default_factory=dict)
    canary: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    reason: str = ""
    plan_digest: str | None = None


class ReplayEntry(Reply, frozen=True, kw_only=True):
    """One replay and how far it is; of its `files` so many came to each outcome, and the others are not over."""

    replay: str
    kind: ReplayKind
    stage: ReplayStage
    causes: list[str]
    options: dict[str, str]
    files: int
    done: int
    failed: int
    differs: int
    skipped: int
    asked_by: str
    reason: str
    made: str
    ended: str | None
    stop_reason: str | None
    proposal: str | None


class TableBefore(Reply, frozen=True, kw_only=True):
    """A table that a replay wrote to, and the snapshot of its history that it was at before."""

    table: str
    sink: str
    snapshot: int


class StoppedBy(Reply, frozen=True, kw_only=True):
    """A file that came out otherwise than expected, the job that read it, and what was expected and found."""

    path: str
    job: str
    why: str


class StoppedReplay(Reply, frozen=True, kw_only=True):
    """Why a replay stopped. `by` names the first of the files that came out `otherwise`, or that nobody could read.

    The rows of `in_force` files are in their tables all the same, `unread` ones wait as before. `undo` are commands
    that take back what files brought that came out otherwise, `next` is the one that goes on.
    """

    by: list[StoppedBy]
    otherwise: int
    in_force: int
    unread: int
    undo: list[str]
    next: str


class ReplayReply(Reply, frozen=True, kw_only=True):
    """What became of a replay; `replay` is none where there was nothing to read again, and nothing was kept.

    Row by row, by their places in the files that were read: so many rejected ones were `released` into their tables or
    are `still_failing`, so many rows are `newly_rejected`, and so many accepted ones are lost, most of them rejected
    now. `before` is where each table was. Where a `proposal` is named, nothing was read: it has to be approved first.
    `why` says why nothing was read, `stopped` why not all. `reopens` other files of the same tables are read with its
    options by the next run, which may change their accepted rows, too.
    """

    replay: ReplayEntry | None
    released: int
    still_failing: int
    accepted_lost: int
    unchanged: int
    left_out: list[LeftOut]
    newly_rejected: int = 0
    reopens: int = 0
    proposal: str | None = None
    why: str | None = None
    before: list[TableBefore] = msgspec.field(default_factory=list)
    stopped: StoppedReplay | None = None


class ListReplays(Request, frozen=True, kw_only=True):
    """No choice: the newest thousand."""


class ReplayList(Reply, frozen=True, kw_only=True):
    """The replays of the home, newest first."""

    replays: list[ReplayEntry]


class ShowReplay(Request, frozen=True, kw_only=True):
    """One replay by its number."""

    replay: str


class FileOfReplay(Reply, frozen=True, kw_only=True):
    """One file: the job that read it before, the one that reads it again, and what became of it.

    `accepted` and `quarantined` are what it brought; none where it was not read to its end. So many of these rows were
    `carried` over from the old job, and `bytes_read` of `size` are those beside them. `message` is the error of the
    job, or what was expected and found.
    """

    path: str
    is_canary: bool
    old_job: str
    new_job: str | None
    outcome: ReplayOutcome | None
    accepted_before: int
    accepted: int | None
    quarantined_before: int
    quarantined: int | None
    size: int
    bytes_read: int | None
    carried: int
    message: str


class ReplayDetail(Reply, frozen=True, kw_only=True):
    """One replay with its files, the canary first; `files` may be cut, the replay's own counts never are.

    `before` is where each table was that it wrote to: `output.revert` goes back to that. The contract stays as it is.
    """

    replay: ReplayEntry
    files: list[FileOfReplay]
    before: list[TableBefore]
    stopped: StoppedReplay | None


OPERATIONS = (
    Operation(
        "replay.list",
        ListReplays,
        ReplayList,
        Effect.READ,
        "rehearsal.replay_outcome.list_",
        "What was read again, and why.",
    ),
    Operation(
        "replay.plan",
        PlanReplay,
        ReplayPlan,
        Effect.EXECUTE,
        "rehearsal.replay.plan",
        "What reading the rows of causes again would do.",
    ),
    Operation(
        "replay.show",
        ShowReplay,
        ReplayDetail,
        Effect.READ,
        "rehearsal.replay_outcome.show",
        "One replay and its files.",
    ),
    Operation(
        "replay.start",
        StartReplay,
        ReplayReply,
        Effect.EXECUTE,
        "rehearsal.replay.start",
        "Read the rows of causes again, a few files first.",
    ),
)
