"""Bytes of a source as they were when it was read: from whichever place still holds exactly those, or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.errors import SourceChanged, SourceUnreadable
from casparian_flow.core.files import Stamp, display_path
from casparian_flow.scout.hashing import HASHED_COMPANIONS, SQLITE_MAGIC, hash_file
from casparian_flow.store.views import history

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
"""A name that was a file when it was compared may be a pipe or a link now; neither may be waited for or followed."""
_CHILD_SECONDS = 15
LARGEST_HASHED = 1 << 30
"""A larger source is taken for unchanged while its size and time of modification are what they were."""


@dataclass(frozen=True, slots=True)
class Held:
    """A place that holds the bytes, as it was when they were compared."""

    path: bytes
    stamp: Stamp

    @property
    def is_database(self) -> bool:
        """Whether it is an SQLite database."""
        return self.read(0, len(SQLITE_MAGIC)) == SQLITE_MAGIC

    def read(self, start: int, size: int) -> bytes:
        """Some of the bytes; raises SourceChanged if it is not the same file any more."""
        try:
            with os.fdopen(os.open(self.path, _OPEN), "rb") as file:
                if _stamp(os.fstat(file.fileno())) != self.stamp:
                    raise SourceChanged("the file changed while it was read", where=display_path(self.path))
                file.seek(start)
                return file.read(size)
        except OSError as exc:
            raise SourceUnreadable("cannot be read", where=display_path(self.path), why=exc.strerror or "") from exc

    def sqlite_row(self, table: str, rowid: int) -> str:
        """A row as JSON, of the table that goes by such a name in our tables; raises SourceUnreadable.

        A process of its own reads it: whoever opens a database obeys what somebody else wrote. One with a log of
        changes beside it is not read, since that would write there.
        """
        if any(Path(os.fsdecode(self.path + suffix)).exists() for suffix in HASHED_COMPANIONS):
            raise SourceUnreadable("its row lies in a database with a log of changes beside it")
        asked = json.dumps({"path": os.fsdecode(self.path), "table": table, "rowid": rowid})
        child = Path(__file__).with_name("sqlite_child.py")
        try:
            done = subprocess.run(  # noqa: S603 - our own file, and nothing of the asker's in the arguments
                [sys.executable, "-I", "-S", str(child)],
                input=asked.encode("utf-8", "surrogateescape"),
                capture_output=True,
                timeout=_CHILD_SECONDS,
                check=False,
                env={},
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise SourceUnreadable("its row cannot be read", why=str(exc)) from exc
        if done.returncode:
            why = done.stderr.decode("utf-8", "backslashreplace").strip()[:200]
            raise SourceUnreadable("its row cannot be read", why=why)
        return done.stdout.decode()


class Evidence:
    """Finds sources by the digest of their bytes; each is compared once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._found: dict[str, Held | str] = {}

    def held(self, source_hash: str) -> Held | str:
        """Where the bytes are, or in words why they cannot be had."""
        if source_hash not in self._found:
            self._found[source_hash] = self._find(source_hash)
        return self._found[source_hash]

    def _find(self, source_hash: str) -> Held | str:
        trouble = "no file has these bytes any more"
        for place in history.carriers_of(self._connection, source_hash):
            path = place.root.rstrip(b"/") + b"/" + place.rel_path
            try:
                seen = os.lstat(path)
                if (seen.st_size, seen.st_mtime_ns) == (place.size, place.mtime_ns) and seen.st_size > LARGEST_HASHED:
                    return Held(path, _stamp(seen))
                hashed = hash_file(path)
            except (OSError, SourceUnreadable, SourceChanged) as exc:
                why = exc.message if isinstance(exc, (SourceUnreadable, SourceChanged)) else exc.strerror or str(exc)
                trouble = f"{place.display} cannot be read: {why}"
                continue
            if hashed.source_hash == source_hash:
                return Held(path, hashed.stamp)
            trouble = f"{place.display} changed since it was read"
        return trouble


def _stamp(seen: os.stat_result) -> Stamp:
    return Stamp(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
