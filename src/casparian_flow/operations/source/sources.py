"""Sources: the folders and files that are scanned, and what is left out of them."""

from __future__ import annotations

from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListSources(Request, frozen=True, kw_only=True):
    """Every source."""


class SourceEntry(Reply, frozen=True, kw_only=True):
    """One source; `ignore` are its own rules, beside those of a `.casparianignore` at its root.

    `is_in_use`: commands without a path are about this one only. `when_missing` is what becomes of the rows of files
    that it has no more.
    """

    id: int
    name: str | None
    root: str
    entries: int
    scanned: str | None
    ignore: list[str]
    is_in_use: bool
    when_missing: WhenMissing


class SourceList(Reply, frozen=True, kw_only=True):
    """All sources, oldest first."""

    sources: list[SourceEntry]


class AddSource(Request, frozen=True, kw_only=True):
    """A folder or a file, what to call it, and whether its folders are walked into."""

    path: str
    name: str | None = None
    recursive: bool = True


class SourceAdded(Reply, frozen=True, kw_only=True):
    """The source, and what a person should know about it."""

    source: SourceEntry
    warnings: list[str]


class ShowSource(Request, frozen=True, kw_only=True):
    """A source by number, name or path."""

    source: str


class SourceDetail(Reply, frozen=True, kw_only=True):
    """One source: its files by state, and the current rows that came from it by table."""

    source: SourceEntry
    files: dict[str, int]
    tables: dict[str, int]


class RemoveSource(Request, frozen=True, kw_only=True):
    """A source by number, name or path."""

    source: str


class SourceRemoved(Reply, frozen=True, kw_only=True):
    """The source that is no longer scanned, how many files it left, and the rows that stay."""

    root: str
    files: int
    tables: dict[str, int]


class UseSource(Request, frozen=True, kw_only=True):
    """The source that commands without a path are about; none means every source."""

    source: str | None = None


class SourceUsed(Reply, frozen=True, kw_only=True):
    """The source that was chosen, or null for every one."""

    source: SourceEntry | None


class IgnorePaths(Request, frozen=True, kw_only=True):
    """A source by number, name or path, and rules in the syntax of .gitignore to add; `replaces` drops its own."""

    source: str
    patterns: tuple[str, ...]
    replaces: bool = False


class SetSourcePolicy(Request, frozen=True, kw_only=True):
    """A source by number, name or path, and what becomes of the rows of files that it has no more.

    Nothing becomes of them while no file is left from which rows came: a disk that is not mounted looks like that.
    `even_if_empty` says that those which are gone by now are gone on purpose, and those on disks that are away by now
    with them; it holds for none that goes later.
    """

    source: str
    when_missing: WhenMissing
    even_if_empty: bool = False


OPERATIONS = (
    Operation(
        "source.add",
        AddSource,
        SourceAdded,
        Effect.EXECUTE,
        "source.sources.add",
        "Remember a folder, to be scanned later.",
        may_be_tried=True,
    ),
    Operation(
        "source.list",
        ListSources,
        SourceList,
        Effect.READ,
        "source.sources.list_",
        "Every source and what it leaves out.",
    ),
    Operation(
        "source.ignore",
        IgnorePaths,
        SourceEntry,
        Effect.EXECUTE,
        "source.sources.ignore",
        "Leave paths out of a source.",
        may_be_tried=True,
    ),
    Operation(
        "source.policy",
        SetSourcePolicy,
        SourceEntry,
        Effect.DRAFT,
        "source.sources.policy",
        "Choose what becomes of the rows of files that are gone.",
        may_be_tried=True,
    ),
    Operation(
        "source.remove",
        RemoveSource,
        SourceRemoved,
        Effect.EXECUTE,
        "source.sources.remove",
        "Scan a source no longer.",
        may_be_tried=True,
    ),
    Operation(
        "source.show",
        ShowSource,
        SourceDetail,
        Effect.READ,
        "source.sources.show",
        "One source, its files and its rows.",
    ),
    Operation(
        "source.use",
        UseSource,
        SourceUsed,
        Effect.EXECUTE,
        "source.sources.use",
        "Choose the source for later commands.",
        may_be_tried=True,
    ),
)
