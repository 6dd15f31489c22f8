"""What a disk has not promised to keep: all that was written and named since it was last told to make that durable.

The rules are those of POSIX, not the better ones of one file system: `fsync` of a file keeps its bytes, `fsync` of a
folder keeps the names in it, and nothing else is kept. Writes are lost in any order, and in parts; changes of the
names in one folder are lost from the last one backwards, as journals of file systems do it.
"""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(slots=True)
class _Bytes:
    """One write: what was there before. `file` is an open file of our own."""

    file: int
    at: int
    length: int
    before: bytes
    size_before: int


@dataclass(slots=True)
class _Name:
    """One change of the names in a folder, and how it is taken back."""

    undo: Callable[[], None]


@dataclass
class Volatile:
    """Follows what a process does; `graves` is a folder on the same disk for what it removes."""

    graves: Path
    _files: dict[tuple[int, int], int] = field(default_factory=dict)
    _writes: dict[tuple[int, int], list[_Bytes]] = field(default_factory=dict)
    _names: dict[str, list[_Name]] = field(default_factory=dict)

    def will_write(self, file: int, at: int, length: int) -> None:
        """Bytes are about to be written to an open file; at -1 where it stands."""
        facts = os.fstat(file)
        if at < 0:
            at = facts.st_size if _appends(file) else os.lseek(file, 0, os.SEEK_CUR)
        own = self._own(file)
        before = os.pread(own, length, at)
        self._writes.setdefault(_key(facts), []).append(_Bytes(own, at, length, before, facts.st_size))

    def will_cut(self, file: int, size: int) -> None:
        """An open file is about to get another size."""
        facts = os.fstat(file)
        self.will_write(file, size, max(0, facts.st_size - size))

    def will_sync(self, file: int, path: str) -> None:
        """What was done to an open file, or in an open folder, is about to be kept."""
        self._writes.pop(_key(os.fstat(file)), None)
        self._names.pop(path, None)

    def will_create(self, path: str) -> None:
        """A file or a link is about to be made."""
        if not os.path.lexists(path):
            self._named(path, lambda: Path(path).unlink(missing_ok=True))

    def will_make_folder(self, path: str) -> None:
        """A folder is about to be made."""
        if not os.path.lexists(path):
            self._named(path, lambda: Path(path).rmdir())

    def will_remove(self, path: str) -> None:
        """A file is about to lose a name."""
        if os.path.lexists(path):
            grave = self.graves / f"{len(list(self.graves.iterdir()))}"
            os.link(path, grave)
            self._named(path, lambda: os.link(grave, path))

    def will_remove_folder(self, path: str) -> None:
        """A folder is about to be removed."""
        if Path(path).is_dir() and not any(Path(path).iterdir()):
            self._named(path, lambda: Path(path).mkdir())

    def will_rename(self, old: str, new: str) -> None:
        """A file is about to get another name, and whatever has that name is to lose it."""
        self.will_remove(new)
        self._named(new, lambda: Path(new).rename(old))

    def lose(self, chance: random.Random) -> None:
        """The power goes: some of what was not promised is gone."""
        loses = chance.choice((0.2, 0.6, 1.0))
        for writes in self._writes.values():
            for write in reversed(writes):
                if chance.random() < loses:
                    _take_back(write, chance)
        for names in self._names.values():
            for name in reversed(names[chance.randint(0, len(names)) :]):
                with suppress(OSError):  # what is in a folder keeps it
                    name.undo()

    def _named(self, path: str, undo: Callable[[], None]) -> None:
        self._names.setdefault(str(Path(path).parent), []).append(_Name(undo))

    def _own(self, file: int) -> int:
        """Our own open file; never closed, since that would give up the locks of this process on it."""
        key = _key(os.fstat(file))
        if key not in self._files:
            self._files[key] = os.open(f"/proc/self/fd/{file}", os.O_RDWR)
        return self._files[key]


def _key(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _appends(file: int) -> bool:
    return bool(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_APPEND)


def _take_back(write: _Bytes, chance: random.Random) -> None:
    """All of a write, or what comes after some sector of it."""
    kept = 0
    if write.length > SECTOR and chance.random() < 0.5:
        kept = chance.randrange(0, write.length, SECTOR)
    elif chance.random() < 0.3:
        kept = chance.randrange(0, max(1, write.length))
    size = os.fstat(write.file).st_size
    if size == write.at + write.length:  # nothing after it was written since: the file ends earlier
        os.truncate(write.file, max(write.size_before, write.at + kept))
    if before := write.before[kept:]:
        os.pwrite(write.file, before, write.at + kept)
    elif size > write.at + write.length:  # a hole where the bytes should be
        os.pwrite(write.file, bytes(write.length - kept), write.at + kept)
