"""What the file system says about changes; it may say too little, so nothing relies on it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from casparian_flow.core.files import display_path
from casparian_flow.scout.mounts import silent_mount

STEP_MS = 250
"""How often the library looks into its queue, and so how long a hint may take to arrive."""
LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Root:
    """The folder of a source, and the one file of it that is meant; empty: everything."""

    path: bytes
    only: bytes = b""


@dataclass(frozen=True, slots=True)
class Heard:
    """Sources and paths in them that may have changed; with `is_lossy` anything else may have, too."""

    changed: Sequence[tuple[int, bytes]] = ()
    is_lossy: bool = False


class Hints(Protocol):
    """Where hints come from."""

    @property
    def silent(self) -> Mapping[int, str]:
        """The sources for which none come, each with the reason."""

    def open(self, roots: Mapping[int, Root]) -> None:
        """Listen to these folders from now on, and to no others."""

    def wait(self, seconds: float, stop: threading.Event) -> Heard:
        """What changed; returns when something did, after so many seconds, or when it is to stop."""

    def close(self) -> None:
        """Listen no longer."""


class NoHints:
    """Hears nothing."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        self.silent: dict[int, str] = {}

    def open(self, roots: Mapping[int, Root]) -> None:
        """Hear nothing of these."""
        self.silent = dict.fromkeys(roots, self._reason)

    def wait(self, seconds: float, stop: threading.Event) -> Heard:
        """Let the time pass."""
        stop.wait(min(seconds, LONGEST_WAIT))
        return Heard()

    def close(self) -> None:
        """Nothing was opened."""


class SystemHints:
    """Hears what the kernel tells, through watchfiles. What happens in `deaf` folders, such as the home, is not heard.

    In the main thread a signal ends `wait` with KeyboardInterrupt.
    """

    def __init__(self, deaf: Sequence[bytes] = ()) -> None:
        self._deaf = tuple(path.rstrip(b"/") + b"/" for path in deaf)
        self._notify: RustNotify | None = None
        self._roots: dict[int, bytes] = {}
        self.silent: dict[int, str] = {}

    def open(self, roots: Mapping[int, Root]) -> None:
        """Listen to these folders; where that is not possible `silent` says why."""
        self.close()
        self.silent = {source: reason for source, root in roots.items() if (reason := _why_silent(root))}
        self._roots = {source: root.path for source, root in roots.items() if source not in self.silent}
        if not self._roots:
            return
        paths = [os.fsdecode(path) for path in set(self._roots.values())]
        try:
            self._notify = RustNotify(paths, False, False, 0, True, True)
        except (OSError, WatchfilesRustInternalError) as exc:
            # Mostly the limit of watched folders (fs.inotify.max_user_watches).
            self.silent |= dict.fromkeys(self._roots, f"the system cannot tell of changes: {exc}")

    def wait(self, seconds: float, stop: threading.Event) -> Heard:
        """What changed. What the library cannot tell, such as names that are not UTF-8, makes it lossy."""
        seconds = min(seconds, LONGEST_WAIT)
        if self._notify is None:
            stop.wait(seconds)
            return Heard()
        try:
            told = self._notify.watch(STEP_MS, STEP_MS, max(round(seconds * 1000), 1), stop)
        except WatchfilesRustInternalError:
            # It would say the same for ever; a new one hears what comes from now on.
            self.open({source: Root(path) for source, path in self._roots.items()})
            return Heard(is_lossy=True)
        if told == "signal":
            raise KeyboardInterrupt
        if isinstance(told, str):
            return Heard()
        return Heard([found for _, path in told for found in self._places(os.fsencode(path))])

    def close(self) -> None:
        """Stop the library's thread."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    def _places(self, path: bytes) -> list[tuple[int, bytes]]:
        if (path + b"/").startswith(self._deaf):
            return []
        return [
            (source, path[len(root.rstrip(b"/")) + 1 :])
            for source, root in self._roots.items()
            if (path + b"/").startswith(root.rstrip(b"/") + b"/")
        ]


def _why_silent(root: Root) -> str:
    if root.only:
        return "it is one file"
    try:
        root.path.decode()
    except UnicodeDecodeError:
        return f"the name {display_path(root.path)} is not UTF-8"
    if not os.path.isdir(root.path):  # noqa: PTH112 - a path of bytes
        return "the folder is not there"
    kind = silent_mount(root.path)
    return f"the file system {kind} does not tell of all changes" if kind else ""
