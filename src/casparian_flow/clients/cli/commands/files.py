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
    from casparian_flow.operations.file.files import FileDetail
    from casparian_flow.operations.file.versions import VersionDifference, VersionEntry

COLUMNS = (
    Column("path"),
    Column("state"),
    Column("detail", title="WHY"),
    Column("tables"),
    Column("size", Kind.SIZE),
)
VERSIONS = (
    Column("version", Kind.COUNT),
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


LANDED = (
    Column("table"),
    Column("parser"),
    Column("contract"),
    Column("accepted", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("is_current", title="VISIBLE"),
)
DIFFERENCES = (
    Column("table"),
    Column("rows_before", Kind.COUNT),
    Column("rows_after", Kind.COUNT),
    Column("added", Kind.COUNT),
    Column("removed", Kind.COUNT),
    Column("columns_added"),
    Column("columns_removed"),
    Column("note"),
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
    from casparian_flow.operations.file.files import FileEntry, ListFiles

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
@click.option("--versions", "shows_versions", is_flag=True, help="And what each of its versions became.")
@pass_face
def show(face: Face, file: str, shows_versions: bool) -> None:
    """Everything known about one file."""
    from casparian_flow.operations.file.files import ShowFile

    if shows_versions:
        _show_versions(face, file)
        return
    reply = face.ask("files.show", ShowFile(file=file))
    face.show("casparian.file/1", reply, _lines(face, reply))


@command.command("versions")
@click.argument("file")
@pass_face
def versions(face: Face, file: str) -> None:
    """Every version of one file, newest first, and the tables that it became."""
    _show_versions(face, file)


@command.command("diff")
@click.argument("before", metavar="V1")
@click.argument("after", metavar="V2")
@pass_face
def diff(face: Face, before: str, after: str) -> None:
    """What two versions differ in, down to their rows.

    V1 and V2 are numbers that `files versions` shows, beginnings of hashes, or files, which mean their current version.
    """
    from casparian_flow.operations.file.versions import DiffVersions

    reply = face.ask("files.diff", DiffVersions(before=before, after=after))
    face.show("casparian.file.diff/1", reply, _diff_lines(face, reply))


def _show_versions(face: Face, file: str) -> None:
    from casparian_flow.operations.file.versions import ListVersions

    reply = face.ask("files.versions", ListVersions(file=file))
    lines = [line for version in reply.versions for line in (*_version_lines(face, version), "")]
    face.show("casparian.file.versions/1", reply, lines[:-1])


def _version_lines(face: Face, version: VersionEntry) -> Iterator[str]:
    from msgspec import to_builtins

    yield f"version  {version.version}{', current' if version.is_current else ''}"
    yield f"path     {plain(version.path)}"
    yield f"size     {size_text(version.size)}, changed {readable(version.mtime, Kind.TIME)}"
    yield f"hash     {plain(version.source_hash)}"
    if version.sha256:
        yield f"sha256   {plain(version.sha256)}"
    yield f"content  {plain(version.content)}: {plain(version.content_reason)}"
    yield f"found    {readable(version.detected, Kind.TIME)}"
    if version.tables:
        yield from table_lines(map(to_builtins, version.tables), LANDED, face.paper)


def _diff_lines(face: Face, reply: VersionDifference) -> Iterator[str]:
    from msgspec import to_builtins

    yield from _version_lines(face, reply.before)
    yield ""
    yield from _version_lines(face, reply.after)
    yield ""
    grown = reply.after.size - reply.before.size
    yield "bytes    the same" if reply.has_same_bytes else f"bytes    others, {grown:+,} in size"
    if reply.tables:
        yield from table_lines(map(to_builtins, reply.tables), DIFFERENCES, face.paper)
    if reply.note:
        yield f"note     {plain(reply.note)}"


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
