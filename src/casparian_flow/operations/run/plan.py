"""Plans: what a run would do with every file, and why, without doing it."""

from __future__ import annotations

import msgspec

from casparian_flow.core.outputs import SinkMode
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class MakePlan(Request, frozen=True, kw_only=True):
    """Which files, and how they would be run. Paths may be folders or files; none means every known source.

    `sinks` are URIs or names, `topics` those of single topics; `mode` is that of all of them, and of the home's own
    sink where none is given.
    """

    paths: tuple[str, ...] = ()
    parser: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)
    table: str | None = None
    tag: str | None = None
    since: str | None = None
    sinks: tuple[str, ...] = ()
    topics: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    mode: SinkMode = SinkMode.APPEND
    force: bool = False


class PlanEntry(Reply, frozen=True, kw_only=True):
    """One file: what happens with it, the reason code and the reason in words.

    `route` says what led to the parser, `tag` to which tag that subscribes where this decided.
    """

    path: str
    action: str
    reason: str
    detail: str
    parser: str | None
    route: str
    tag: str | None
    tables: list[str]
    size: int


class Subscription(Reply, frozen=True, kw_only=True):
    """A parser that reads files because it subscribes to a tag of theirs: how many it would read, how many not."""

    tag: str
    parser: str
    run: int
    skip: int


class PlanGroup(Reply, frozen=True, kw_only=True):
    """Files of one kind: `new`, `changed`, `reopen` (read before, and to be read again) or `skip`; and the reason."""

    group: str
    reason: str
    files: int
    bytes: int


class Retired(Reply, frozen=True, kw_only=True):
    """Rows of bytes that no file holds any more, which go out at the end of the run; `files` counts such bytes.

    `rows` are accepted ones; `quarantined` go out of the quarantine.
    """

    files: int
    rows: int
    quarantined: int


class MovedRows(Reply, frozen=True, kw_only=True):
    """Rows that leave a table since their files are read `into` another one."""

    table: str
    into: str
    accepted: int
    quarantined: int
    files: int


class BroughtBack(Reply, frozen=True, kw_only=True):
    """Files that are read with `--force` although a person took rows of theirs out: `how` is purged or reverted.

    `by` is the purge, such as X-5, or who reverted, `why` the same in words. `paths` are the first of the `files`. Of a
    run `rows` are all that they brought, quarantined ones included; a plan does not know them.
    """

    how: str
    by: str
    why: str
    files: int
    rows: int | None
    paths: list[str]


class PlanReply(Reply, frozen=True, kw_only=True):
    """A saved plan. `counts` are files by `action reason`; `subscriptions` are those that chose a parser.

    Every selected file is in exactly one of the `groups`. `asked` is the run that was planned, as it would be typed,
    and `sinks` where its tables land. `moved` are rows that leave the table in which they are. `brought_back` is what
    `--force` would bring back. `next` is the command that a person would go on with.
    """

    plan: str
    asked: str
    sinks: list[str]
    counts: dict[str, int]
    groups: list[PlanGroup]
    retire: Retired
    moved: list[MovedRows]
    brought_back: list[BroughtBack]
    run_files: int
    run_bytes: int
    subscriptions: list[Subscription]
    entries: list[PlanEntry]
    warnings: list[str]
    next: str


OPERATIONS = (
    Operation(
        "plan.make",
        MakePlan,
        PlanReply,
        Effect.EXECUTE,
        "run.plan.make",
        "What a run would do with every file, and why.",
    ),
)
