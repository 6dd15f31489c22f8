"""The watches of a sentinel: kept in its store, gone on with when it starts again."""

from __future__ import annotations

import msgspec

from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.source.watch import Watched


class AddWatch(Watched, frozen=True, kw_only=True):
    """A watch that lasts until it is removed. Paths are relative to where the asker stands."""


class WatchEntry(Reply, frozen=True, kw_only=True):
    """One watch: the operation that it repeats, and its folders, files and sources; none is every source."""

    watch: int
    operation: str
    paths: list[str]
    cwd: str
    settle_seconds: float
    reconcile_seconds: float
    actor: str
    added: str


class ListWatches(Request, frozen=True, kw_only=True):
    """Every watch."""


class WatchList(Reply, frozen=True, kw_only=True):
    """All watches, oldest first."""

    watches: list[WatchEntry]


class RemoveWatch(Request, frozen=True, kw_only=True):
    """Which watch to end."""

    watch: int


class OpenWatch(Request, frozen=True, kw_only=True):
    """Which watch to find the folders of."""

    watch: int


class WatchRoot(Reply, frozen=True, kw_only=True):
    """Where a source lies, as bytes; `only` is the one file of it that is meant."""

    source: int
    path: bytes
    only: bytes


class OpenedWatch(Reply, frozen=True, kw_only=True):
    """What is needed to wait for a watch's next round."""

    roots: list[WatchRoot]
    settle_seconds: float
    reconcile_seconds: float
    is_hinted: bool


class WatchPart(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of a source that may have changed; null is all of it."""

    source: int
    paths: tuple[bytes, ...] | None


class LookAgain(Request, frozen=True, kw_only=True):
    """One look of a watch at parts of its `sources`, as `watch.open` gave them.

    `rounds` is how many there were; with `plans_anyway` everything is planned even if nothing changed.
    """

    watch: int
    sources: tuple[int, ...]
    parts: tuple[WatchPart, ...]
    rounds: int = 0
    plans_anyway: bool = False


class GrowingPath(Reply, frozen=True, kw_only=True):
    """A file that is to be seen again in so many seconds."""

    source: int
    path: bytes
    seconds: float


class LookedAgain(Reply, frozen=True, kw_only=True):
    """What the next looks depend on; what this one did was reported as `watch.round`, if it did anything."""

    growing: list[GrowingPath]
    took: dict[int, float]
    is_unfinished: bool
    rounds: int


OPERATIONS = (
    Operation(
        "watch.add", AddWatch, WatchEntry, Effect.EXECUTE, "source.watches.add", "Have a sentinel watch from now on."
    ),
    Operation("watch.list", ListWatches, WatchList, Effect.READ, "source.watches.list_", "What a sentinel watches."),
    Operation("watch.look", LookAgain, LookedAgain, Effect.EXECUTE, "source.watches.look", "One look of a watch."),
    Operation("watch.open", OpenWatch, OpenedWatch, Effect.EXECUTE, "source.watches.open_", "Where a watch looks."),
    Operation("watch.remove", RemoveWatch, WatchEntry, Effect.EXECUTE, "source.watches.remove", "End a watch."),
)
