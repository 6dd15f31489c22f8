"""What a person points at: folders and files, made into sources, scanned and selected."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.times import parse_since
from casparian_flow.operations.context import Acting
from casparian_flow.scout.content import sniff
from casparian_flow.scout.inventory import ScanReport, scan
from casparian_flow.scout.tagger import TagReport, tag
from casparian_flow.sentinel.world import Selection
from casparian_flow.store import files as file_store


@dataclass(frozen=True, slots=True)
class Discovered:
    """The selection, and what scanning and hashing its sources found."""

    selection: Selection
    scans: Sequence[ScanReport]
    tagged: Sequence[TagReport]


def discover(
    acting: Acting, paths: Sequence[str], *, tag: str | None = None, since: str | None = None
) -> Discovered:
    """Register, scan and hash what was pointed at; without paths, every known source."""
    prefixes = _sources(acting, paths)
    scans, tagged = [], []
    for source in prefixes:
        scans.append(scan(acting.database, source, acting.clock(), acting.report))
        tagged.append(hash_source(acting, source))
    selection = Selection(
        sources=list(prefixes),
        prefixes=prefixes,
        tag=tag,
        since_ns=None if since is None else parse_since(since, acting.clock()),
    )
    return Discovered(selection, scans, tagged)


def hash_source(acting: Acting, source: int) -> TagReport:
    """Version and tag the files of a source that may have changed."""
    return tag(acting.database, source, acting.clock(), sniff, acting.report)


def _sources(acting: Acting, paths: Sequence[str]) -> dict[int, list[bytes]]:
    """The sources of the paths, each with the prefixes that were asked for; a file belongs to its folder's source."""
    if not paths:
        with acting.database.transaction() as connection:
            known: dict[int, list[bytes]] = {row.id: [] for row in file_store.list_sources(connection)}
        if not known:
            raise UsageError("no source is known yet", fix="casparian run DIR")
        return known
    found: dict[int, list[bytes]] = defaultdict(list)
    for text in paths:
        path = os.fsencode(os.path.realpath(acting.cwd / text))
        if not os.path.lexists(path):
            raise NotFound(f"there is no {text}", where=str(acting.cwd))
        root, prefix = (path, b"") if Path(os.fsdecode(path)).is_dir() else os.path.split(path)
        with acting.database.transaction() as connection:
            source = file_store.add_source(connection, root, acting.clock())
        found[source].append(prefix)
    return {source: [] if b"" in wanted else wanted for source, wanted in found.items()}
