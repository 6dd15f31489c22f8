"""What a home takes on disk, by what it is kept for."""

from __future__ import annotations

import os
from pathlib import Path

KEPT_FOR = {"outputs": "tables", "quarantine": "quarantine", "staging": "staging", "plugins": "plugins"}
"""The folders of a home; every other file is its state."""


def disk_use(home: Path) -> dict[str, int]:
    """Bytes of the files in the home; files that come and go while it is read are left out."""
    used = dict.fromkeys((*KEPT_FOR.values(), "state"), 0)
    waiting = [(home, "")]
    while waiting:
        folder, name = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((Path(entry.path), name or KEPT_FOR.get(entry.name, "state")))
                    else:
                        used[name or "state"] += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return used
