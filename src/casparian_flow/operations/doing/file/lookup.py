"""Finds the one file that a word as typed means."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.store.views import files, history


def one_file(connection: Connection, cwd: Path, named: str) -> RowMapping:
    """The location at an absolute path, at one relative to `cwd`, or at a path inside a source, also its end.

    Raises NotFound, or UsageError if several files are meant.
    """
    rows = files.find_files(connection, places(connection, cwd, named), display_path(os.fsencode(named)))
    if not rows:
        raise NotFound(f"no file {named!r} was found by a scan", fix="casparian files")
    if len({f"{row['source'].rstrip('/')}/{row['path']}" for row in rows}) > 1:
        raise UsageError(
            f"{named!r} names {len(rows)} files",
            why=", ".join(f"{row['source']}/{row['path']}" for row in rows[:3]),
            fix="give the whole path",
        )
    # Overlapping sources list one file several times; the one that was read last knows most about it.
    return max(rows, key=lambda row: row["job_id"] or 0)


def places(connection: Connection, cwd: Path, named: str) -> list[tuple[int, bytes]]:
    """The (source, relative path) pairs that a path as typed may mean."""
    absolute = os.fsencode(os.path.normpath(cwd / named))
    spellings = {absolute, os.path.realpath(absolute)}
    return [
        (source_id, path)
        for source_id, root in history.roots(connection)
        for path in (
            *(each[len(root) :].lstrip(b"/") for each in spellings if each.startswith(root.rstrip(b"/") + b"/")),
            os.fsencode(named),
        )
    ]
