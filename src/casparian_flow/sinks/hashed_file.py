"""A new file that is hashed while it is written, never overwrites another, and is durable when finished."""

from __future__ import annotations

import os
from pathlib import Path

from blake3 import blake3

from casparian_flow.core.hashing import PREFIX


class HashedFile:
    """A file object for whoever writes one; raises FileExistsError where the name exists."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        self._hasher = blake3()
        self._ignores = False
        self.size = 0
        self.closed = False

    def write(self, data: bytes | memoryview) -> int:
        """Write all of it."""
        view = memoryview(data)
        if not self._ignores:
            self._hasher.update(view)
            while view:
                view = view[os.write(self._descriptor, view) :]
        self.size += len(data)
        return len(data)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.size

    def flush(self) -> None:
        """Nothing is held back."""

    def finish(self) -> str:
        """Make the bytes durable; their digest."""
        try:
            os.fsync(self._descriptor)
        finally:
            self.close()
        return PREFIX + self._hasher.hexdigest()

    def ignore_writes(self) -> None:
        """From here on nothing reaches the file, so that a writer can be closed after its disk failed."""
        self._ignores = True

    def close(self) -> None:
        """Let go of the file."""
        if not self.closed:
            self.closed = True
            os.close(self._descriptor)
