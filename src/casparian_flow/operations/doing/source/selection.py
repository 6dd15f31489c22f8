"""What a person points at: folders and files, made into sources, scanned and selected."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.files import HashMode, display_path
from casparian_flow.core.ids import SourceId
from casparian_flow.core.times import parse_since
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.source.lookup import one_source
from casparian_flow.scout import tagger, walk
from casparian_flow.scout.chosen import EVERYTHING, Chosen
from casparian_flow.scout.content import sniff
from casparian_flow.scout.ground import Ground
from casparian_flow.scout.inventory import ScanReport, ground_of, scan
from casparian_flow.scout.reread import covered_files, read_again
from casparian_flow.scout.rules import apply_changed_rules
from casparian_flow.scout.settle import Settle, hold_changed
from casparian_flow.scout.sources import find_or_add_source
from casparian_flow.scout.tagger import TagReport
from casparian_flow.sentinel.planning.world import Selection
from casparian_flow.store import tags as stored_tags
from casparian_flow.store.sources import all_sources, source_by_id, source_in_use
from casparian_flow.store.views import sources as source_view

MOST_BESIDE = 10_000
"""So many entries of a folder are compared with a name that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """How the sources are looked at: at what of them, what is read, and by how many threads if that was said."""

    chosen: Chosen = EVERYTHING
    mode: HashMode = HashMode.CHANGED
    threads: int | None = None
    with_sha256: bool = False
    tag: str | None = None
    """A tag for every file that is covered."""
    settle_seconds: float | None = None
    """Files that changed are left until they have held still for so long; None: all are read at once."""
    trusted: frozenset[int] = frozenset()
    """The sources whose files' times are told by this machine's clock."""
    parts: Mapping[int, Sequence[bytes] | None] | None = None
    """By source the paths that are looked at, None for all of it; other sources are left as they are known."""


@dataclass(frozen=True, slots=True)
class Discovered:
    """The selection, what scanning and hashing its sources found, and what a person should know."""

    selection: Selection
    scans: Sequence[ScanReport]
    tagged: Sequence[TagReport]
    warnings: Sequence[str]


def discover(
    acting: Acting,
    paths: Sequence[str],
    *,
    sources: Sequence[int] = (),
    tag: str | None = None,
    since: str | None = None,
    looking: Looking | None = None,
) -> Discovered:
    """Register, scan and hash what was pointed at; without paths the source in use, else every known source."""
    looking = looking or Looking()
    if sources:
        wanted, warnings = [SourceId(source) for source in sources], list[str]()
    else:
        wanted, warnings = chosen_sources(acting, paths)
    apply_changed_rules(acting.database)
    scans, tagged = [], []
    for source in wanted if looking.parts is None else looking.parts:
        paths_in_it = None if looking.parts is None else looking.parts[source]
        began = acting.clock()
        settle = None
        if looking.settle_seconds is not None and looking.mode is not HashMode.NONE:
            settle = Settle(
                looking.settle_seconds,
                began,
                trusts_times=source in looking.trusted,
                is_partial=paths_in_it is not None,
            )
        ground = ground_of(acting.database, source)
        seen = scan(
            acting.database,
            source,
            began,
            acting.report,
            chosen=looking.chosen,
            threads=looking.threads or walk.THREADS,
            parts=paths_in_it,
            keeps_idle=looking.settle_seconds is None,
            ground=ground,
        )
        scans.append(seen)
        if settle is not None and not seen.is_idle:
            hold_changed(acting.database, source, seen.scan_id, settle, acting.clock())
        if (read := _read(acting, SourceId(source), looking, settle, ground)) is not None:
            tagged.append(read)
    since_ns = None if since is None else parse_since(since, acting.clock())
    return Discovered(Selection(sources=wanted, tag=tag, since_ns=since_ns), scans, tagged, warnings)


def _read(
    acting: Acting, source: SourceId, looking: Looking, settle: Settle | None, ground: Ground
) -> TagReport | None:
    """Hash what is to be read, and give the tag that was asked for; None where nothing is to be read."""
    is_everything = looking.chosen.is_everything
    covered = None
    if not is_everything or looking.mode is HashMode.ALL or looking.tag:
        covered = covered_files(acting.database, source, looking.chosen)
    read = None
    if looking.mode is HashMode.ALL and covered:
        read_again(acting.database, covered)
    if looking.mode is not HashMode.NONE:
        read = tagger.tag(
            acting.database,
            source,
            now_ns=acting.clock(),
            sniff=sniff,
            report=acting.report,
            selection=None if is_everything or covered is None else [file[0] for file in covered],
            with_sha256=looking.with_sha256,
            threads=looking.threads or tagger.THREADS,
            settle=settle,
            ground=ground,
        )
    if looking.tag and covered:
        with acting.database.transaction() as connection:
            stored_tags.add_tags(connection, [file[0] for file in covered], looking.tag)
    return read


def chosen_sources(acting: Acting, paths: Sequence[str]) -> tuple[list[SourceId], list[str]]:
    """The sources of the paths or names in their order, each once, and warnings; raises UsageError if there is none."""
    with acting.database.transaction() as connection:
        if not paths:
            return _known_sources(connection)
        found: dict[SourceId, None] = {}
        warnings: list[str] = []
        for text in paths:
            if not text:
                raise UsageError("a path is empty", fix="name a folder or a file; . is this folder")
            if os.path.lexists(acting.cwd / text):
                source, said = find_or_add_source(connection, acting.cwd / text, acting.clock())
                found[source.id] = None
                warnings += said
            else:
                found[_named(connection, acting.cwd, text)] = None
    return list(found), warnings


def _known_sources(connection: Connection) -> tuple[list[SourceId], list[str]]:
    if (chosen := source_in_use(connection)) is not None:
        shown = source_by_id(connection, chosen).display
        return [chosen], [f"only the source in use, {shown}; `casparian source use` alone takes every one again"]
    known = [source.id for source in all_sources(connection)]
    if not known:
        raise UsageError("no source is known yet", fix="casparian run DIR")
    return known, []


def _named(connection: Connection, cwd: Path, text: str) -> SourceId:
    try:
        return SourceId(one_source(connection, cwd, text)["id"])
    except NotFound as exc:
        why = "nor is a source named so"
        if (close := _close_to(connection, cwd, text)) is not None:
            why += f"; did you mean {close}?"
        raise NotFound(f"there is no {text}", where=str(cwd), why=why, fix="casparian source list") from exc


def _close_to(connection: Connection, cwd: Path, text: str) -> str | None:
    """What could be meant instead, as it would be typed: what lies in the same folder, or a source by its name."""
    folder, name = os.path.split(text.rstrip("/"))
    beside: list[str] = []
    with suppress(OSError):
        beside += islice(os.listdir(cwd / folder), MOST_BESIDE)  # noqa: PTH208 - names alone are wanted
    if close := difflib.get_close_matches(name, beside, n=1):
        return display_path(os.fsencode(os.path.join(folder, close[0])))  # noqa: PTH118 - as it was typed
    named = [row["name"] for row in source_view.list_sources(connection) if row["name"]]
    return next(iter(difflib.get_close_matches(text, named, n=1)), None)
