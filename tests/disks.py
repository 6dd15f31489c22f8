"""Disks that tests mount at folders and take away, as far as a source can tell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from casparian_flow.scout import ground, walk
from casparian_flow.scout.ground import Identity


class Disks:
    """Folders that seem to lie on disks of their own; without its disk a folder is empty."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, shelf: Path) -> None:
        """What is on disks that are away lies on the shelf, a folder outside of every source."""
        self._shelf = shelf
        shelf.mkdir()
        self._mounted: dict[bytes, int] = {}
        self._real = ground.identity
        monkeypatch.setattr(ground, "identity", self._identity)
        monkeypatch.setattr(walk, "identity", self._identity)

    def mount(self, folder: Path) -> None:
        """Have a disk with what the folder holds, or what the disk held when it was taken away."""
        if (held := self._shelf / folder.name).exists():
            folder.rmdir()
            held.rename(folder)
        self._mounted[os.fsencode(folder)] = 1_000 + len(self._mounted)

    def unmount(self, folder: Path) -> None:
        """Take the disk away: the folder is there, and empty."""
        del self._mounted[os.fsencode(folder)]
        folder.rename(self._shelf / folder.name)
        folder.mkdir()

    def _identity(self, folder: bytes) -> Identity | None:
        found = self._real(folder)
        if found is None:
            return None
        parts = folder.rstrip(b"/").split(b"/")
        for end in range(len(parts), 0, -1):
            if (device := self._mounted.get(b"/".join(parts[:end]))) is not None:
                return found._replace(device=device)
        return found
