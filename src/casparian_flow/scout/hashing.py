"""Reads a file once for its digest and its first bytes."""

# Paths are bytes, which pathlib does not take.

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass

from blake3 import blake3

from casparian_flow.core.errors import SourceChanged, SourceUnreadable
from casparian_flow.core.files import Stamp, display_path
from casparian_flow.core.hashing import PREFIX, digest_of_json
from casparian_flow.scout.entries import reason_of

HEAD = 1 << 16
_READ = 1 << 20
SQLITE_MAGIC = b"SQLite format 3\x00"
HASHED_COMPANIONS = (b"-journal", b"-wal")
"""What belongs to a database's content; `-shm` is an index that SQLite rebuilds."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """What one reading of a file gave."""

    source_hash: str
    sha256: str | None
    size: int
    stamp: Stamp
    head: bytes
    is_database: bool


def hash_file(path: bytes, *, with_sha256: bool = False) -> Hashed:
    """The digest of a file, its stamp while it was read, and its first 64 KiB.

    `source_hash` is the plain blake3 of the bytes. For an SQLite database with a non-empty `-journal` or `-wal` beside
    it, it is the digest of the canonical JSON list of `[suffix, size, digest]` of the main file (suffix "") and those
    companions, in the order "", `-journal`, `-wal`; `size` is then the sum. The sha256 is always that of the main file
    alone, which is what other tools compute. Raises SourceChanged when the main file changed meanwhile or a companion
    did, SourceUnreadable when one cannot be read, FileNotFoundError when the main file is gone.
    """
    main = _read(path, with_sha256=with_sha256)
    if not main.is_database:
        return main
    parts: list[tuple[str, int, str]] = [("", main.size, main.source_hash)]
    for suffix in HASHED_COMPANIONS:
        try:
            companion = _read(path + suffix, with_sha256=False)
        except FileNotFoundError:
            continue
        if companion.size:
            parts.append((suffix.decode(), companion.size, companion.source_hash))
    if _stamp_at(path) != main.stamp:
        raise SourceChanged("the file changed while it was read", where=display_path(path))
    if len(parts) == 1:
        return main
    total = sum(size for _, size, _ in parts)
    return Hashed(digest_of_json(parts), main.sha256, total, main.stamp, main.head, True)


def _read(path: bytes, *, with_sha256: bool) -> Hashed:
    try:
        # A name that was a file when it was listed may be a pipe or a link now; neither may be waited for or followed.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise SourceUnreadable("cannot be opened", where=display_path(path), why=reason_of(exc)) from exc
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise SourceChanged("it is no longer a file", where=display_path(path))
        hasher = blake3()
        sha256 = hashlib.sha256() if with_sha256 else None
        head = b""
        size = 0
        while block := os.read(descriptor, min(_READ, before.st_size - size + 1)):
            if not size:
                head = block[:HEAD]
            size += len(block)
            hasher.update(block)
            if sha256 is not None:
                sha256.update(block)
            if size > before.st_size:
                break
        after = os.fstat(descriptor)
    except OSError as exc:
        raise SourceUnreadable("cannot be read", where=display_path(path), why=reason_of(exc)) from exc
    finally:
        os.close(descriptor)
    stamp = _stamp(after)
    if stamp != _stamp(before) or size != before.st_size:
        raise SourceChanged("the file changed while it was read", where=display_path(path))
    digest = PREFIX + hasher.hexdigest()
    is_database = head.startswith(SQLITE_MAGIC)
    return Hashed(digest, sha256.hexdigest() if sha256 else None, size, stamp, head, is_database)


def _stamp_at(path: bytes) -> Stamp | None:
    try:
        return _stamp(os.lstat(path))
    except OSError:
        return None


def _stamp(seen: os.stat_result) -> Stamp:
    return Stamp(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
