"""`casparian tags`: what files are about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, shared_options
from casparian_flow.clients.cli.render import Column, Kind, plain, size_text

if TYPE_CHECKING:
    from casparian_flow.operations.source.tag_detail import TagDetail

COLUMNS = (
    Column("tag"),
    Column("files", Kind.COUNT),
    Column("by_hand", Kind.COUNT),
    Column("size", Kind.SIZE),
)


@click.group("tags", cls=Noun)
@shared_options
def command() -> None:
    """What files are about, said by rules or by you."""


@command.command("list")
@pass_face
def list_(face: Face) -> None:
    """Every tag and how many files have it."""
    from casparian_flow.operations.source.tags import ListTags, TagEntry

    reply = face.ask("tags.list", ListTags())
    face.show_list("casparian.tags/1", "tags", reply.tags, COLUMNS, TagEntry)


@command.command("show")
@click.argument("tag")
@pass_face
def show(face: Face, tag: str) -> None:
    """One tag: its files, the rules that give it, the parsers that subscribe to it."""
    from casparian_flow.operations.source.tag_detail import ShowTag

    reply = face.ask("tags.show", ShowTag(tag=tag))
    face.show("casparian.tag/1", reply, _lines(reply))


def _lines(detail: TagDetail) -> Iterator[str]:
    tag = detail.tag
    yield f"tag       {plain(tag.tag)}"
    yield f"files     {tag.files:,}, {tag.by_hand:,} by hand; {size_text(tag.size)}"
    for rule in detail.rules:
        size = f" of size {plain(rule.size)}" if rule.size else ""
        yield f"rule      {rule.rule}: {plain(rule.pattern)}{size} gives it to {rule.files:,}"
    yield from (f"parser    {plain(name)} subscribes to it" for name in detail.parsers)
    yield from (f"          {plain(path)}" for path in detail.sample)


@command.command("add")
@click.argument("files", nargs=-1, required=True)
@click.argument("tag")
@dry_run_option
@pass_face
def add(face: Face, files: tuple[str, ...], tag: str) -> None:
    """Tag files by hand."""
    _change(face, "tags.add", files, tag)


@command.command("remove")
@click.argument("files", nargs=-1, required=True)
@click.argument("tag")
@dry_run_option
@pass_face
def remove(face: Face, files: tuple[str, ...], tag: str) -> None:
    """Take a tag from files."""
    _change(face, "tags.remove", files, tag)


def _change(face: Face, name: str, files: tuple[str, ...], tag: str) -> None:
    from casparian_flow.operations.source.tags import ChangeTags

    reply = face.ask(name, ChangeTags(files=files, tag=tag))
    line = f"{plain(reply.tag)}: {reply.changed} files changed, {reply.unchanged} were so already"
    face.show("casparian.tags.changed/1", reply, [line])
