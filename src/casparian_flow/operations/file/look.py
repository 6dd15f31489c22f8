"""Looking at a file without a parser: its first lines as they stand, and the members of an archive."""

from __future__ import annotations

from typing import Annotated

import msgspec

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ReadLines(Request, frozen=True, kw_only=True):
    """Which file, and how many of its first lines."""

    path: str
    lines: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20


class RawLine(Reply, frozen=True, kw_only=True):
    """One line: its number, where its bytes begin, and its text; `is_cut` if it is longer."""

    number: int
    start: int
    text: str
    is_cut: bool


class RawLines(Reply, frozen=True, kw_only=True):
    """The first lines as they stand in the file; `is_cut` if there are more."""

    path: str
    encoding: str
    lines: list[RawLine]
    is_cut: bool


class ListArchive(Request, frozen=True, kw_only=True):
    """Which archive, and how many members at most."""

    path: str
    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000


class ArchiveMember(Reply, frozen=True, kw_only=True):
    """One member. `problem` warns of names that lead elsewhere, of links, of what is encrypted or a bomb."""

    name: str
    kind: str
    size: int
    packed: int | None
    modified: str | None
    problem: str


class ArchiveListing(Reply, frozen=True, kw_only=True):
    """The members of an archive, in its order; `stopped` says why there may be more."""

    path: str
    format: str
    members: list[ArchiveMember]
    size: int
    stopped: str


OPERATIONS = (
    Operation(
        "inspect.archive",
        ListArchive,
        ArchiveListing,
        Effect.READ,
        "file.look.archive",
        "What an archive holds.",
        reads=("path",),
    ),
    Operation(
        "preview.raw",
        ReadLines,
        RawLines,
        Effect.READ,
        "file.look.raw",
        "The first lines of a file as they stand.",
        reads=("path",),
    ),
)
