"""Which files a backtest reads, their past, and what of them is there."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from casparian_flow.core.artifacts import ParserStatus
from casparian_flow.core.errors import NotFound
from casparian_flow.core.keys import config_hash
from casparian_flow.core.outputs import SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.lab.rehearsal import Retained
from casparian_flow.lab.rehearsals import Subject
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.rehearsal.rows_there import rows_there
from casparian_flow.publish.discover import plugin_parsers, shipped_parsers
from casparian_flow.sentinel.planning.planner import Decision, make_plan
from casparian_flow.sentinel.planning.registered import Registered
from casparian_flow.sentinel.planning.replaying import table_asked_for
from casparian_flow.sentinel.planning.routing import Candidate, candidate_of, candidates_of
from casparian_flow.sentinel.planning.world import Selection, gather_files, gather_world
from casparian_flow.store import files as file_store
from casparian_flow.store import repairs as repair_store
from casparian_flow.store import tags as tag_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.sources import all_sources
from casparian_flow.store.standing import standing as standing_options
from casparian_flow.store.views import backtests as view
from casparian_flow.store.views.file_places import places_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """The files of a backtest. `against` is the artifact that brought the newest of what is there of them."""

    subjects: Sequence[Subject]
    against: str | None


def gather_corpus(
    acting: Acting, connection: Connection, parser: Registered, options: Mapping[str, str], on: Sequence[str]
) -> Corpus:
    """The files that the parser would be given or has read, of those asked for; where there are none, all of these.

    Raises NotFound for a word that is neither a tag nor the path of anything that a scan found, and where no file is
    left that could be read.
    """
    name = parser.artifact.name
    active = replace(parser.artifact, status=ParserStatus.ACTIVE)
    known = candidates_of([*plugin_parsers(acting.home.plugins), *shipped_parsers()])
    candidates = {**known, name: candidate_of(0, parser.manifest, active)}
    sources = [source.id for source in all_sources(connection)]
    selection = Selection(sources=sources, locations=_locations(acting, connection, sources, on))
    asked_for = view.asked_for(connection, name)
    routed = {
        each.file.location: each
        for each in _to_read(acting, connection, selection, candidates, options, None)
        if each.parser is not None and each.parser.artifact.name == name
    }
    every = _to_read(acting, connection, selection, candidates, options, name)
    decisions = [
        routed.get(each.file.location, each)
        for each in every
        if each.file.location in routed or each.file.source_hash in asked_for
    ] or every
    if not decisions:
        raise NotFound(f"there is no file that {name} could be tried on", fix="casparian scan DIR")
    there: dict[str, list[AnyRow]] = defaultdict(list)
    for row in view.there(connection, name):
        there[row.source_hash].append(row)
    hashes = {each.file.source_hash for each in decisions if each.file.source_hash is not None}
    newest = max((row for of_hash in hashes & there.keys() for row in there[of_hash]), key=_job, default=None)
    return Corpus(
        subjects=_subjects(acting, connection, name, options, decisions, asked_for, there),
        against=None if newest is None else newest.artifact_hash,
    )


def _job(row: AnyRow) -> int:
    return int(row.job_id)


def _locations(
    acting: Acting, connection: Connection, sources: Sequence[int], on: Sequence[str]
) -> frozenset[int] | None:
    """The locations that these words mean; None where no word restricts them."""
    if not on:
        return None
    tagged: dict[str, set[int]] = {row["tag"]: set() for row in tag_store.list_tags(connection)}
    for location, tag, _rule in tag_store.tags_of_sources(connection, sources):
        tagged.setdefault(tag, set()).add(location)
    paths = {word: os.fsencode(os.path.normpath(acting.cwd / word)) for word in on if word not in tagged}
    found: dict[str, set[int]] = {word: tagged.get(word, set()) for word in on}
    if paths:
        for row in file_store.current_files(connection, sources):
            for word, path in paths.items():
                if row.path == path or row.path.startswith(path.rstrip(b"/") + b"/"):
                    found[word].add(row.location_id)
    for word in on:
        if not found[word]:
            raise NotFound(
                f"there is no file {word}, and none has such a tag", why="no scan found any", fix="casparian tags"
            )
    return frozenset().union(*found.values())


def _to_read(
    acting: Acting,
    connection: Connection,
    selection: Selection,
    candidates: Mapping[str, Candidate],
    options: Mapping[str, str],
    explicit: str | None,
) -> list[Decision]:
    """What a run would read if nothing were done yet and nobody were at work."""
    world = gather_world(
        connection,
        parsers=candidates,
        explicit=explicit,
        routes=Routes(default=(SinkTarget(acting.home.default_sink),)),
        options=options,
        table=None,
        force=True,
        modes=acting.settings.drift.modes,
    )
    unhindered = replace(world, open={}, replaying={}, paused=frozenset())
    return make_plan(gather_files(connection, selection), unhindered).runs


def _subjects(
    acting: Acting,
    connection: Connection,
    parser: str,
    options: Mapping[str, str],
    decisions: Sequence[Decision],
    asked_for: Mapping[str, AnyRow],
    there: Mapping[str, Sequence[AnyRow]],
) -> list[Subject]:
    decided = {each.file.version: each for each in decisions if each.file.version is not None}
    places = places_of(connection, list(decided))
    failures, failed_last = view.failures(connection), view.failed_last(connection)
    landed, standing = view.landed_by(connection, parser), standing_options(connection)
    hashes = [each.file.source_hash for each in decided.values() if each.file.source_hash is not None]
    repairs, _ = repair_store.of_files(connection, parser, hashes)
    found = []
    for version, decision in decided.items():
        place, source_hash = places[version], decision.file.source_hash
        assert source_hash is not None
        rows = rows_there(acting, there.get(source_hash, ()))
        base, table = decision.base_table, None
        if (past := asked_for.get(source_hash)) is not None:
            base = past.base_table
            table = table_asked_for(past)  # whoever reads it again names it, too
        given = {**standing.get((parser, base), {}), **options}
        found.append(
            Subject(
                bytes=Retained(
                    path=place.root.rstrip(b"/") + b"/" + place.rel_path,
                    size=place.size,
                    mtime_ns=place.mtime_ns,
                    source_hash=source_hash,
                    base_table=base,
                    version=version,
                ),
                display=decision.file.display,
                old=rows,
                has_landed=source_hash in landed,
                options=given,
                config_hash=config_hash(given, table),
                repairs=repairs.get(source_hash, ()),
                failures=failures.get(source_hash, 0),
                has_failed_last=source_hash in failed_last,
                quarantined=sum(each.rejected for each in rows.values()),
                jobs=sorted({row.job_id for row in there.get(source_hash, ())}),
            )
        )
    return found
