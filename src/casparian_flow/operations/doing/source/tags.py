"""How what `operations.source.tags` names is done."""

from __future__ import annotations

import re

from casparian_flow.core.errors import UsageError
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.source.tags import ChangeTags, ListTags, TagEntry, TagList, TagsChanged
from casparian_flow.operations.writing import Writing
from casparian_flow.store import tags as stored

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")


def list_(reading: Reading, _request: ListTags) -> TagList:
    """Every tag with its files."""
    return TagList(tags=[TagEntry(**row) for row in stored.list_tags(reading.connection)])


def add(acting: Writing, request: ChangeTags) -> TagsChanged:
    """Tag files by hand; all of them or, if one is not found, none."""
    tag = checked_tag(request.tag)
    with acting.database.transaction() as connection:
        found = [one_file(connection, acting.cwd, name)["id"] for name in request.files]
        changed = sum(stored.add_tag(connection, location, tag) for location in found)
    return TagsChanged(tag=tag, changed=changed, unchanged=len(found) - changed)


def remove(acting: Writing, request: ChangeTags) -> TagsChanged:
    """Take a tag from files; a rule that matches gives it again at the next scan."""
    with acting.database.transaction() as connection:
        found = [one_file(connection, acting.cwd, name)["id"] for name in request.files]
        changed = sum(stored.remove_tag(connection, location, request.tag) for location in found)
    return TagsChanged(tag=request.tag, changed=changed, unchanged=len(found) - changed)


def is_tag(text: str) -> bool:
    """Whether the text can be a tag."""
    return _NAME.fullmatch(text) is not None


def checked_tag(text: str) -> str:
    """The text if it can be a tag; raises UsageError."""
    if not is_tag(text):
        raise UsageError(f"{text!r} cannot be a tag", why="a tag is up to 64 letters, digits and _ . : / -")
    return text
