"""Looking at a file without a parser: its first lines as they stand, and the members of an archive."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec

from casparian_flow.core.errors import SourceUnreadable
from casparian_flow.core.files import display_path
from casparian_flow.lab.archive import list_archive
from casparian_flow.operations.context import Reading
from casparian_flow.operations.inspect import existing_file
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.sdk.encodings import detect_encoding

HEAD_BYTES = 1 << 20
LONGEST_LINE = 4096


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


def raw(reading: Reading, request: ReadLines) -> RawLines:
    """The first lines of a file, at most of its first MiB, whatever it is."""
    path = existing_file(reading, request.path)
    try:
        encoding = detect_encoding(path)
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            is_cut = bool(file.read(1))
    except OSError as exc:
        raise SourceUnreadable(f"{request.path} cannot be read", why=exc.strerror or str(exc)) from exc
    end_of_line = "\n".encode(encoding.name)
    pieces = head[encoding.mark :].split(end_of_line)
    if not pieces[-1]:
        pieces.pop()
    lines, start = [], encoding.mark
    for number, piece in enumerate(pieces[: request.lines], 1):
        text = piece.decode(encoding.name, "backslashreplace").removesuffix("\r")
        lines.append(RawLine(number=number, start=start, text=text[:LONGEST_LINE], is_cut=len(text) > LONGEST_LINE))
        start += len(piece) + len(end_of_line)
    return RawLines(
        path=display_path(os.fsencode(path)),
        encoding=encoding.name,
        lines=lines,
        is_cut=is_cut or len(pieces) > request.lines,
    )


def archive(reading: Reading, request: ListArchive) -> ArchiveListing:
    """What a zip or tar holds, by its own list; nothing is extracted."""
    path = existing_file(reading, request.path)
    listing = list_archive(path, request.limit)
    members = [
        ArchiveMember(
            name=each.name,
            kind=each.kind,
            size=each.size,
            packed=each.packed,
            modified=each.modified,
            problem=each.problem,
        )
        for each in listing.members
    ]
    return ArchiveListing(
        path=display_path(os.fsencode(path)),
        format=listing.format,
        members=members,
        size=sum(each.size for each in members),
        stopped=listing.stopped,
    )


OPERATIONS = (
    Operation(
        "inspect.archive",
        ListArchive,
        ArchiveListing,
        Effect.READ,
        archive,
        "What an archive holds.",
        reads=("path",),
    ),
    Operation(
        "preview.raw",
        ReadLines,
        RawLines,
        Effect.READ,
        raw,
        "The first lines of a file as they stand.",
        reads=("path",),
    ),
)
