"""Files and folders that survive a crash: complete under their name, or not there."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

_TEMPORARY = re.compile(r"\.(\d{20}\.json|schema\.json|owner\.json|README)\.[0-9a-f]{16}\.tmp")
_TRIES = 3
_TRIES_AGAINST_TIDYING = 100
"""Each failure means that somebody else came further, so many in a row mean something else."""


def sync_folder(folder: Path) -> None:
    """Make the names inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder with its parents, durably, even while others remove those of them that are empty."""
    for last_try in (False,) * _TRIES_AGAINST_TIDYING + (True,):
        try:
            _make_missing(folder)
        except (FileNotFoundError, FileExistsError):
            if last_try:
                raise
        else:
            return


def _make_missing(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def put_if_absent(path: Path, data: bytes) -> bool:
    """Create a file with these bytes unless the name exists; whether it was created.

    The bytes are durable before the name appears; the name is durable after `sync_folder(path.parent)`. Of several
    writers exactly one creates it, and nobody ever sees a part of it.
    """
    for last_try in (False,) * (_TRIES - 1) + (True,):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            _write(temporary, data)
            os.link(temporary, path)
        except FileExistsError:
            return False
        except FileNotFoundError:  # a sweep took the temporary name
            if last_try or not path.parent.is_dir():
                raise
        else:
            return True
        finally:
            temporary.unlink(missing_ok=True)
    raise AssertionError("unreachable")


def remove_temporaries(folder: Path) -> None:
    """Remove what killed writers left in a folder; one that is at work there begins again."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in list(folder.iterdir()):
            if is_temporary(path.name):
                path.unlink(missing_ok=True)


def is_temporary(file_name: str) -> bool:
    """Whether `put_if_absent` uses such a name while it works on a file beside the data."""
    return _TEMPORARY.fullmatch(file_name) is not None


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
