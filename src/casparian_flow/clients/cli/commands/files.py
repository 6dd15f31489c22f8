"""`casparian files`: every file found, its state and the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, readable, size_text, table_lines
from casparian_flow.core.files import FileState

if TYPE_CHECKING:
    from casparian_flow.operations.files import FileDetail

COLUMNS = (
    Column("path"),
    Column("state"),
    Column("reason"),
    Column("detail"),
    Column("size", Kind.SIZE),
    Column("mtime", Kind.TIME),
    Column("parser"),
    Column("tables"),
)
VERSIONS = (
    Column("source_hash"),
    Column("size", Kind.SIZE),
    Column("content"),
    Column("detected", Kind.TIME),
    Column("is_current"),
)
JOBS = (
    Column("job"),
    Column("state"),
    Column("reason"),
    Column("parser"),
    Column("error"),
    Column("message"),
    Column("queued", Kind.TIME),
)


@click.group("files", cls=Noun)
@shared_options
def command() -> None:
    """Every file found, its state and the reason."""


@command.command("list")
@click.option("--source", metavar="S", help="Of this source: its path or number.")
@click.option("--tag", metavar="T", help="With this tag.")
@click.option("--untagged", is_flag=True, help="Without any tag.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in FileState]),
    help="In this state; may be repeated.",
)
@click.option("--ext", "extension", metavar="E", help="With this extension.")
@click.option("--since", metavar="T", help="Modified since 24h, 7d, 2026-03-02, …")
@pass_face
def list_(face: Face, **wanted: Any) -> None:
    """Files with their state and the reason for it."""
    from casparian_flow.operations.files import FileEntry, ListFiles

    wanted["states"] = tuple(map(FileState, wanted["states"]))
    face.show_pages(
        "casparian.files/1",
        "files",
        COLUMNS,
        FileEntry,
        lambda limit, after: face.ask("files.list", ListFiles(**wanted, limit=limit, after=after)),
    )


@command.command("show")
@click.argument("file")
@pass_face
def show(face: Face, file: str) -> None:
    """Everything known about one file."""
    from casparian_flow.operations.files import ShowFile

    reply = face.ask("files.show", ShowFile(file=file))
    face.show("casparian.file/1", reply, _lines(face, reply))


def _lines(face: Face, detail: FileDetail) -> Iterator[str]:
    from msgspec import to_builtins

    file = detail.file
    yield f"path     {plain(file.path)}"
    yield f"source   {plain(file.source)}"
    yield f"state    {file.state}: {plain(file.reason)}" + (f" ({plain(file.detail)})" if file.detail else "")
    yield f"size     {size_text(file.size)}"
    yield f"changed  {readable(file.mtime, Kind.TIME)}"
    for name, values in (("parser", [file.parser]), ("tags", detail.tags), ("tables", file.tables)):
        yield f"{name:<8} {readable([each for each in values if each], Kind.TEXT)}"
    for path in detail.also_at:
        yield f"also at  {plain(path)}"
    for items, columns in ((detail.versions, VERSIONS), (detail.jobs, JOBS)):
        if items:
            yield ""
            yield from table_lines(map(to_builtins, items), columns, face.paper)
