"""Whether a folder can take files: tried, not guessed from permission bits."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path


def check_folder(root: Path) -> None:
    """Raises OSError unless files can be created, filled, flushed and linked under `root`; leaves nothing behind.

    A folder that does not exist is tried in the nearest one that does.
    """
    place = root
    while not place.exists():
        if place.is_symlink():
            raise FileNotFoundError(errno.ENOENT, "the link leads nowhere", str(place))
        place = place.parent
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    probe = place / f".cf_probe_{secrets.token_hex(8)}"
    second = probe.with_suffix(".link")
    try:
        with probe.open("xb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        os.link(probe, second)
    finally:
        second.unlink(missing_ok=True)
        probe.unlink(missing_ok=True)
