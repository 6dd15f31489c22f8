"""What an error of SQLite under the control database means, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from casparian_flow.core.errors import HomeUnavailable

_REPEAT = "then repeat the command; it goes on where this one ended"
_MEANING = {
    "SQLITE_FULL": ("the disk is full", f"free some space, {_REPEAT}"),
    "SQLITE_IOERR": ("the disk is full, or reports errors", f"free some space or look after the disk, {_REPEAT}"),
    "SQLITE_CANTOPEN": (
        "a file cannot be made or opened there: permission is denied, or the disk is full",
        f"change the folder's permissions or free some space, {_REPEAT}",
    ),
    "SQLITE_READONLY": ("it is read-only", "make the home writable, or choose another --home"),
}


def unavailable(path: Path, error: DBAPIError) -> HomeUnavailable | None:
    """The error that tells a person why the database could not be used; None for what is nobody's disk."""
    code = str(getattr(error.orig, "sqlite_errorname", ""))
    for name, (why, fix) in _MEANING.items():
        if code.startswith(name):
            return HomeUnavailable(
                "the control database cannot be used", where=str(path), why=f"{why} ({code})", fix=fix
            )
    return None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Errors inside the block that come from the disk become HomeUnavailable."""
    try:
        yield
    except DBAPIError as exc:
        if (found := unavailable(path, exc)) is None:
            raise
        raise found from exc
