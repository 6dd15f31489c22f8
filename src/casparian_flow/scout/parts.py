"""The entries at single paths of a source, as a walk over the whole source would list them."""

# Paths are bytes, which pathlib does not take.

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import replace

from casparian_flow.core.files import EntryKind
from casparian_flow.scout.entries import Entry, describe
from casparian_flow.scout.ignore import RULES_FILE
from casparian_flow.scout.walk import Tree, is_target, walk


def reachable(tree: Tree, paths: Iterable[bytes]) -> list[bytes] | None:
    """The paths at which a walk would come by what may have changed at these, in order, none within another.

    Below what is no folder, is left out or belongs to Casparian a walk sees nothing, so that itself is looked at. None
    means that everything may have changed.
    """
    found: set[bytes] = set()
    for path in paths:
        if path in (b"", RULES_FILE):
            return None
        found.add(_reach(tree, path))
    kept: list[bytes] = []
    for path in sorted(found, key=lambda path: path + b"/"):
        if not kept or not path.startswith(kept[-1] + b"/"):
            kept.append(path)
    return kept


def entries_at(tree: Tree, path: bytes) -> Iterator[list[Entry]]:
    """What is at a path and, if that is a folder, below it; nothing if it is gone."""
    absolute = _absolute(tree, path)
    if _is_folder(absolute):
        yield from walk(replace(tree, below=path + b"/"))
        return
    if tree.depth and path.count(b"/") >= tree.depth:
        return
    entry = describe(path, absolute, tree.root)
    if entry is not None and tree.ignore.ignores(path):
        entry = entry._replace(kind=EntryKind.IGNORED.value, problem="left out by the source's ignore rules")
    yield [entry] if entry is not None else []


def _reach(tree: Tree, path: bytes) -> bytes:
    at = path.find(b"/")
    while at >= 0:
        folder = path[:at]
        absolute = _absolute(tree, folder)
        if not _is_folder(absolute) or tree.ignore.ignores(folder + b"/") or is_target(absolute + b"/"):
            return folder
        if tree.is_home(absolute + b"/"):
            return folder
        at = path.find(b"/", at + 1)
    return path


def _is_folder(absolute: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(absolute).st_mode)
    except OSError:
        return False


def _absolute(tree: Tree, path: bytes) -> bytes:
    return tree.root.rstrip(b"/") + b"/" + path
