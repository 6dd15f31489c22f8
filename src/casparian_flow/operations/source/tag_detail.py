"""One tag: the rules that give it, the parsers that subscribe to it, and its files."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.source.tags import TagEntry


class ShowTag(Request, frozen=True, kw_only=True):
    """One tag."""

    tag: str


class TagGiver(Reply, frozen=True, kw_only=True):
    """A rule that gives the tag, and how many files have it through that rule."""

    rule: int
    pattern: str
    size: str | None
    files: int


class TagDetail(Reply, frozen=True, kw_only=True):
    """One tag: its files, the rules that give it, the parsers that subscribe to it, and some of the files."""

    tag: TagEntry
    rules: list[TagGiver]
    parsers: list[str]
    sample: list[str]


OPERATIONS = (
    Operation(
        "tags.show", ShowTag, TagDetail, Effect.READ, "source.tag_detail.show", "One tag, its rules and its files."
    ),
)
