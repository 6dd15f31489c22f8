"""Names what is to be scanned: a folder, or one file of it."""

# Paths are bytes, which pathlib does not take.

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound
from casparian_flow.core.files import display_path, system_path
from casparian_flow.scout.ignore import parse_rules
from casparian_flow.store import sources as stored
from casparian_flow.store.sources import Source


def find_or_add_source(connection: Connection, path: Path, now_ns: int) -> tuple[Source, list[str]]:
    """The source of a path, by its real path, and warnings for a person.

    A file is the source of itself: its folder is the root, and nothing else in it is looked at. Sources may overlap:
    the files in both are listed twice and parsed once, which is what the warning says. One that was removed
    is taken back.
    """
    raw = os.path.realpath(os.fsencode(path))
    if not os.path.lexists(raw):
        raise NotFound(f"there is no {display_path(raw)}", where=str(path))
    is_folder = Path(system_path(raw)).is_dir()
    root, only = (raw, b"") if is_folder else os.path.split(raw)
    known = stored.source_by_path(connection, root, only)
    if known is not None:
        stored.restore_source(connection, known.id)
        return known, []
    shared = stored.overlapping(stored.all_sources(connection), root, only)
    warnings = [
        f"{display_path(raw)} overlaps source {source.id}, {source.display}: files in both are parsed once"
        for source in shared
    ]
    return stored.add_source(connection, root, only, now_ns), warnings


def set_ignore_rules(connection: Connection, source: int, rules: str) -> None:
    """Replace a source's ignore rules, in the syntax of .gitignore; raises UsageError when a line is not a rule."""
    parse_rules(rules)
    stored.source_by_id(connection, source)
    stored.set_ignore_rules(connection, source, rules)
