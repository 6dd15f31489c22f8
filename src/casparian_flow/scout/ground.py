"""The disks that a source stands on: what lay on one that is away is not gone, it cannot be read."""

# Paths are bytes, which pathlib does not take.
# ruff: noqa: PTH116, PTH120

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

UNMOUNTED = "the disk that was here is away; if for good: casparian source policy SOURCE POLICY --even-if-empty"


class Identity(NamedTuple):
    """What tells a folder from another one, whatever name it is reached by."""

    device: int
    inode: int


def identity(folder: bytes) -> Identity | None:
    """The identity of a folder; None when there is none. Raises OSError for one that cannot be asked."""
    try:
        seen = os.stat(folder)
    except FileNotFoundError:
        return None
    return Identity(seen.st_dev, seen.st_ino)


class Ground:
    """The root of a source and every folder in it at which another disk begins, as they are before it is listed.

    Paths of folders end with a slash; the root is the empty path. Threads may `see` at the same time.
    """

    def __init__(self, root: bytes, known: Iterable[bytes] = ()) -> None:
        """`known` are the folders at which a disk was mounted when the source was last looked at."""
        self._base = root.rstrip(b"/") + b"/"
        self.known = frozenset(known)
        here = self._now(b"")
        self._seen: dict[bytes, Identity | None] = {b"": here}
        self._lost: set[bytes] = set()
        outer = _device(os.path.dirname(root.rstrip(b"/")) or b"/")
        self._is_mount = here is not None and outer not in (None, here.device)
        if b"" in self.known and not self._is_mount:
            self._lost.add(b"")
        for folder in sorted(self.known - {b""}):
            found = self._now(folder)
            self._seen[folder] = found
            if found is None or found.device == self._device_over(folder):
                self._lost.add(folder)

    def see(self, folder: bytes, found: Identity | None) -> None:
        """A folder is about to be listed, and is this one."""
        if folder in self._seen:
            if self._seen[folder] != found:
                self._lost.add(folder)
        elif found is not None and found.device != self._device_over(folder):
            self._seen[folder] = found

    def lost(self) -> frozenset[bytes]:
        """The folders that are not what they were when they were first seen, or whose disk was away by then.

        What is not found below one of these may be there; whatever was looked for before this was asked.
        """
        for folder, found in list(self._seen.items()):
            if found is None or self._now(folder) != found:
                self._lost.add(folder)
        return frozenset(self._lost)

    def mounts(self) -> frozenset[bytes]:
        """The folders at which a disk is, or was, mounted."""
        root = {b""} if self._is_mount or b"" in self.known else set[bytes]()
        return frozenset(root | (self._seen.keys() - {b""}))

    def under(self, path: bytes) -> bytes:
        """The folder at which the disk begins that a path lies on."""
        end = len(path)
        while (end := path.rfind(b"/", 0, end)) >= 0:
            if path[: end + 1] in self._seen:
                return path[: end + 1]
        return b""

    def _device_over(self, folder: bytes) -> int | None:
        outer = self._seen[self.under(folder[:-1])]
        return None if outer is None else outer.device

    def _now(self, folder: bytes) -> Identity | None:
        try:
            return identity(self._base + folder)
        except OSError:
            return None  # whoever lists it says why; here it is enough that nothing below it can be seen


def _device(folder: bytes) -> int | None:
    try:
        found = identity(folder)
    except OSError:
        return None
    return None if found is None else found.device
