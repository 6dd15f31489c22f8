"""How what `operations.file.look` names is done."""

from __future__ import annotations

import os

from casparian_flow.core.errors import SourceUnreadable
from casparian_flow.core.files import display_path
from casparian_flow.lab.archive import list_archive
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.inspect import existing_file
from casparian_flow.operations.file.look import ArchiveListing, ArchiveMember, ListArchive, RawLine, RawLines, ReadLines
from casparian_flow.sdk.encodings import detect_encoding

HEAD_BYTES = 1 << 20
LONGEST_LINE = 4096


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
