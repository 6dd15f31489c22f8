"""What a person points at: folders and files, made into sources, scanned and selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from casparian_flow.core.errors import UsageError
from casparian_flow.core.ids import SourceId
from casparian_flow.core.times import parse_since
from casparian_flow.operations.context import Acting
from casparian_flow.scout import tagger
from casparian_flow.scout.content import sniff
from casparian_flow.scout.inventory import ScanReport, scan
from casparian_flow.scout.rules import apply_changed_rules
from casparian_flow.scout.sources import find_or_add_source
from casparian_flow.scout.tagger import TagReport
from casparian_flow.sentinel.world import Selection
from casparian_flow.store.sources import all_sources


@dataclass(frozen=True, slots=True)
class Discovered:
    """The selection, what scanning and hashing its sources found, and what a person should know."""

    selection: Selection
    scans: Sequence[ScanReport]
    tagged: Sequence[TagReport]
    warnings: Sequence[str]


def discover(
    acting: Acting, paths: Sequence[str], *, tag: str | None = None, since: str | None = None, with_sha256: bool = False
) -> Discovered:
    """Register, scan and hash what was pointed at; without paths, every known source."""
    sources, warnings = _sources(acting, paths)
    apply_changed_rules(acting.database)
    scans, tagged = [], []
    for source in sources:
        scans.append(scan(acting.database, source, acting.clock(), acting.report))
        tagged.append(
            tagger.tag(
                acting.database,
                source,
                now_ns=acting.clock(),
                sniff=sniff,
                report=acting.report,
                with_sha256=with_sha256,
            )
        )
    since_ns = None if since is None else parse_since(since, acting.clock())
    return Discovered(Selection(sources=sources, tag=tag, since_ns=since_ns), scans, tagged, warnings)


def _sources(acting: Acting, paths: Sequence[str]) -> tuple[list[SourceId], list[str]]:
    """The sources of the paths, in their order, each once; raises UsageError if there is none."""
    with acting.database.transaction() as connection:
        if not paths:
            known = [source.id for source in all_sources(connection)]
            if not known:
                raise UsageError("no source is known yet", fix="casparian run DIR")
            return known, []
        found: dict[SourceId, None] = {}
        warnings: list[str] = []
        for text in paths:
            if not text:
                raise UsageError("a path is empty", fix="name a folder or a file; . is this folder")
            source, said = find_or_add_source(connection, acting.cwd / text, acting.clock())
            found[source.id] = None
            warnings += said
    return list(found), warnings
