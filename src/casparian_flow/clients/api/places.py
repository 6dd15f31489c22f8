"""Paths as a Python program gives them."""

from __future__ import annotations

import os
from pathlib import Path

from casparian_flow.core.errors import NotFound, UsageError


def absolute(path: str | os.PathLike[str]) -> Path:
    """The path from the root, links kept; `~/` at its start is the person's own folder.

    Raises UsageError for what is no path and for one with a NUL, NotFound for a relative one in a working folder that
    is gone.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
        raise UsageError(
            f"a path is a str or a Path, not {type(path).__name__}",
            why="parsers read files, and rows tell which bytes of their file they are",
            fix="write the bytes to a file first",
        )
    if "\0" in text:
        raise UsageError("a path cannot hold a NUL character")
    found = Path(text).expanduser() if text.startswith("~/") else Path(text)
    try:
        return found.absolute()
    except FileNotFoundError as exc:
        message = "a relative path leads nowhere: the working folder is gone"
        raise NotFound(message, fix="give an absolute path") from exc


def working_folder() -> Path:
    """Where this program stands; where that is gone, a place in which nothing is."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(os.devnull)
