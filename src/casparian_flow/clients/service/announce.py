"""Writes and takes away what a sentinel says about itself in its home, and chooses where its sockets lie."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

import msgspec

from casparian_flow.core.errors import CasparianError, UsageError
from casparian_flow.core.presence import Presence, decode
from casparian_flow.settings import Home

LONGEST_PATH = 80
"""Of the folder of sockets, in bytes: a socket's whole path has about a hundred."""
ELSEWHERE = "casparian-sockets-"


def socket_folder(home: Home) -> Path:
    """A folder that only its owner enters: in the home, or where that path is too long, in the temporary folder.

    The caller holds the home; what a killed sentinel left is taken away first.
    """
    _forget(home)
    folder = home.sockets
    if len(bytes(folder)) > LONGEST_PATH:
        return Path(tempfile.mkdtemp(prefix=ELSEWHERE, dir=next(filter(_is_short, _elsewhere()), None)))
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UsageError("the folder of the sockets belongs to somebody else", where=str(folder))
    folder.chmod(0o700)
    return folder


def announce(home: Home, presence: Presence) -> None:
    """Let everybody of this user find the sentinel."""
    beside = home.sentinel.with_name(f"{home.sentinel.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(presence) + b"\n")
    beside.replace(home.sentinel)


def withdraw(home: Home, folder: Path) -> None:
    """Let nobody find it any more."""
    home.sentinel.unlink(missing_ok=True)
    if folder != home.sockets:
        shutil.rmtree(folder, ignore_errors=True)


def _forget(home: Home) -> None:
    """Take away what a killed sentinel left, also in the temporary folder."""
    try:
        left = Path(decode(home.sentinel.read_bytes(), str(home.sentinel)).control).parent
    except (OSError, CasparianError):
        left = home.sockets
    if left.parent in _elsewhere() and left.name.startswith(ELSEWHERE):
        shutil.rmtree(left, ignore_errors=True)
    home.sentinel.unlink(missing_ok=True)


def _elsewhere() -> tuple[Path, ...]:
    """Folders for sockets of homes that lie too deep; a temporary folder of one's own can lie too deep as well."""
    return Path(tempfile.gettempdir()), Path("/tmp")  # noqa: S108 - a private folder is made in it


def _is_short(folder: Path) -> bool:
    return len(bytes(folder / ELSEWHERE)) + len("12345678") <= LONGEST_PATH
