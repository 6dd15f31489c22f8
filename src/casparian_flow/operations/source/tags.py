"""Tags: what files are about, given by rules or by a person."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ListTags(Request, frozen=True, kw_only=True):
    """Every tag."""


class TagEntry(Reply, frozen=True, kw_only=True):
    """One tag; `by_hand` counts the files that a person gave it to."""

    tag: str
    files: int
    by_hand: int
    size: int


class TagList(Reply, frozen=True, kw_only=True):
    """All tags, by name."""

    tags: list[TagEntry]


class ChangeTags(Request, frozen=True, kw_only=True):
    """Files, as typed, and one tag to give them or to take from them."""

    files: tuple[str, ...]
    tag: str


class TagsChanged(Reply, frozen=True, kw_only=True):
    """How many of the files were changed; the others were so already."""

    tag: str
    changed: int
    unchanged: int


OPERATIONS = (
    Operation("tags.list", ListTags, TagList, Effect.READ, "source.tags.list_", "Every tag with its files."),
    Operation(
        "tags.add", ChangeTags, TagsChanged, Effect.EXECUTE, "source.tags.add", "Tag files by hand.", may_be_tried=True
    ),
    Operation(
        "tags.remove",
        ChangeTags,
        TagsChanged,
        Effect.EXECUTE,
        "source.tags.remove",
        "Take a tag from files.",
        may_be_tried=True,
    ),
)
