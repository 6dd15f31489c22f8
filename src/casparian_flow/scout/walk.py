"""Lists everything below a folder in the order of its paths, without opening a file."""

# Paths are bytes, which pathlib does not take.
# ruff: noqa: PTH116, PTH112

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from casparian_flow.core.files import EntryKind
from casparian_flow.scout.entries import Entry, describe, folder_entry, reason_of
from casparian_flow.scout.ground import Ground, Identity, identity
from casparian_flow.scout.ignore import IgnoreRules

THREADS = 2
"""More of them mostly take the interpreter from each other, since the names of a folder rarely come from a disk."""
AHEAD = 64
"""Folders that may be listed before their turn."""
CHUNK = 2_000
"""Entries examined at a time; of a larger folder only the names are held in memory."""
WHOLE_SOURCE = b"./"
"""The row for a root whose entries cannot be listed."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What is to be walked: absolute real paths, and what is left out."""

    root: bytes
    only: bytes = b""
    ignore: IgnoreRules = field(default_factory=IgnoreRules)
    home: bytes | None = None
    ground: Ground | None = None
    """Is told of every folder before it is listed."""
    depth: int = 0
    """How many parts the paths of entries may have; 0 is any number. Deeper folders are not even entries."""
    below: bytes = b""
    """The folder in the root, with a slash at its end, where the walk begins; empty: the root itself."""

    def is_home(self, absolute: bytes) -> bool:
        """Whether a folder is the active home."""
        return self.home is not None and identity(absolute) == identity(self.home) is not None


def walk(tree: Tree, threads: int = THREADS) -> Iterator[list[Entry]]:
    """Batches of entries, ordered by the bytes of their paths over the whole walk.

    A folder that could not be listed, is ignored or belongs to Casparian is one entry whose path ends with a slash.
    What was known below it stands right after it in this order, so whoever compares needs to remember one entry only.
    """
    if tree.only:
        yield _one_file(tree)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="walk")
    try:
        yield from _Walk(tree, pool).batches()
    finally:
        pool.shutdown(cancel_futures=True)


def _one_file(tree: Tree) -> list[Entry]:
    try:
        os.stat(tree.root)
    except OSError as exc:
        return [folder_entry(WHOLE_SOURCE, EntryKind.UNREADABLE, f"cannot be listed: {reason_of(exc)}")]
    entry = describe(tree.only, _join(tree.root, tree.only), tree.root)
    return [entry] if entry else []


_Items = list[list[Entry] | bytes]
"""A folder's entries in order: runs of examined ones, a name yet to be examined, or a folder's name with a slash."""


@dataclass(slots=True)
class _Folder:
    """A folder whose entries are being given out."""

    path: bytes
    items: _Items
    at: int = 0
    asked: int = 0


class _Walk:
    """One walk: a stack of open folders, and the folders that are listed ahead of their turn."""

    def __init__(self, tree: Tree, pool: ThreadPoolExecutor) -> None:
        self._tree = tree
        self._base = tree.root.rstrip(b"/") + b"/"
        self._home = identity(tree.home) if tree.home else None
        self._pool = pool
        self._stack: list[_Folder] = []
        self._ahead: dict[bytes, Future[_Items | Entry | None]] = {}

    def batches(self) -> Iterator[list[Entry]]:
        batch: list[Entry] = []
        listed = self._list(self._tree.below)
        if isinstance(listed, Entry):
            yield [listed]
            return
        self._stack.append(_Folder(self._tree.below, listed or []))
        while self._stack:
            folder = self._stack[-1]
            if folder.at == len(folder.items):
                self._stack.pop()
                continue
            item = folder.items[folder.at]
            folder.at += 1
            if isinstance(item, list):
                batch += item
            elif item.endswith(b"/"):
                entry = self._enter(folder.path + item)
                if entry is not None:
                    batch.append(entry)
            else:
                entry = self._examine(folder.path + item)
                if entry is not None:
                    batch.append(entry)
            if len(batch) >= CHUNK:
                yield batch
                batch = []
        yield batch

    def _enter(self, path: bytes) -> Entry | None:
        """Open a folder; or its entry, when it is not to be opened."""
        future = self._ahead.pop(path, None)
        listed = future.result() if future else self._list(path)
        if isinstance(listed, Entry):
            return listed
        if listed:
            self._stack.append(_Folder(path, listed))
        self._look_ahead()
        return None

    def _look_ahead(self) -> None:
        """Have the next folders listed by other threads, those of the innermost open folder first."""
        for folder in reversed(self._stack):
            at = max(folder.asked, folder.at)
            while at < len(folder.items) and len(self._ahead) < AHEAD:
                item = folder.items[at]
                at += 1
                if isinstance(item, bytes) and item.endswith(b"/"):
                    path = folder.path + item
                    self._ahead[path] = self._pool.submit(self._list, path)
            folder.asked = at
            if len(self._ahead) >= AHEAD:
                return

    def _list(self, path: bytes) -> _Items | Entry | None:
        """A folder's entries, or the one entry that stands for it, or None when it is gone or too deep."""
        if self._tree.depth and path.count(b"/") >= self._tree.depth:
            return None
        if path and self._tree.ignore.ignores(path):
            return folder_entry(path, EntryKind.IGNORED, "left out by the source's ignore rules")
        absolute = self._base + path
        stands_for_it = path or WHOLE_SOURCE
        try:
            found = identity(absolute)
            if self._tree.ground is not None:
                self._tree.ground.see(path, found)
            if self._is_home(absolute, found):
                return folder_entry(stands_for_it, EntryKind.IGNORED, "the active home is never walked")
            with os.scandir(absolute) as listing:
                names = [one.name + b"/" if one.is_dir(follow_symlinks=False) else one.name for one in listing]
        except OSError as exc:
            if path and isinstance(exc, FileNotFoundError | NotADirectoryError):
                return None
            return folder_entry(stands_for_it, EntryKind.UNREADABLE, f"cannot be listed: {reason_of(exc)}")
        names.sort()
        if b"_cf/" in names and is_target(absolute):
            return folder_entry(stands_for_it, EntryKind.IGNORED, "the folder of an output target is never walked")
        if len(names) > CHUNK:
            return list[list[Entry] | bytes](names)
        items: _Items = []
        run: list[Entry] = []
        for name in names:
            if name.endswith(b"/"):
                items += [run, name]
                run = []
            elif (entry := self._examine(path + name)) is not None:
                run.append(entry)
        return [*items, run]

    def _examine(self, rel_path: bytes) -> Entry | None:
        entry = describe(rel_path, self._base + rel_path, self._tree.root)
        if entry is not None and self._tree.ignore.ignores(rel_path):
            return entry._replace(kind=EntryKind.IGNORED.value, problem="left out by the source's ignore rules")
        return entry

    def _is_home(self, absolute: bytes, found: Identity | None) -> bool:
        if self._home is None:
            return False
        if absolute == self._base and self._base.startswith((self._tree.home or b"").rstrip(b"/") + b"/"):
            return True
        return found == self._home


def is_target(folder: bytes) -> bool:
    """Whether a folder, given with a slash at its end, is that of an output target."""
    return os.path.isdir(folder + b"_cf/log")


def _join(root: bytes, rel_path: bytes) -> bytes:
    return root.rstrip(b"/") + b"/" + rel_path
