"""`casparian inspect`: what one file is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, Kind, plain, readable, size_text, table_lines

if TYPE_CHECKING:
    from casparian_flow.operations.file.inspect import FileFacts
    from casparian_flow.operations.file.look import ArchiveListing

MEMBERS = (
    Column("name"),
    Column("kind"),
    Column("size", Kind.SIZE),
    Column("packed", Kind.SIZE),
    Column("modified", Kind.TIME),
    Column("problem"),
)


@click.command("inspect")
@click.argument("file")
@click.option("--hex", "shows_hex", is_flag=True, help="Show the first bytes in hexadecimal.")
@click.option("--archive", "lists_archive", is_flag=True, help="List what a zip or tar holds; nothing is extracted.")
@pass_face
def command(face: Face, file: str, shows_hex: bool, lists_archive: bool) -> None:
    """What a file is by its bytes, and which parser would read it."""
    from casparian_flow.operations.file.inspect import InspectFile
    from casparian_flow.operations.file.look import ListArchive

    if lists_archive:
        listing = face.ask("inspect.archive", ListArchive(path=file, limit=face.limit or 1_000_000))
        face.show("casparian.inspect.archive/1", listing, _archive_lines(face, listing))
        return
    reply = face.ask("inspect", InspectFile(path=file))
    face.show("casparian.inspect/1", reply, _lines(reply, shows_hex=shows_hex))


def _lines(reply: FileFacts, *, shows_hex: bool) -> Iterator[str]:
    yield f"path      {plain(reply.path)}"
    yield f"size      {size_text(reply.size)}"
    yield f"changed   {readable(reply.mtime, Kind.TIME)}"
    yield f"hash      {reply.source_hash}"
    yield f"sha256    {reply.sha256}"
    yield f"content   {plain(reply.content)}: {plain(reply.reason)}"
    if reply.encoding:
        yield f"encoding  {plain(reply.encoding)}"
        yield f"lines     {plain(reply.line_ends)}"
    yield f"parser    {reply.parser or 'none'}"
    yield f"table     {reply.table}"
    if shows_hex:
        digits = reply.head.split()
        yield ""
        yield from (f"{at:08x}  {' '.join(digits[at : at + 16])}" for at in range(0, len(digits), 16))


def _archive_lines(face: Face, listing: ArchiveListing) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"{plain(listing.path)}: {plain(listing.format)}, {len(listing.members):,} members, {size_text(listing.size)}"
    yield from table_lines(map(to_builtins, listing.members), MEMBERS, face.paper)
    if listing.stopped:
        yield f"note: {plain(listing.stopped)}"
