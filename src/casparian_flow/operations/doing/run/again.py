"""The commands that read files again as they were read last."""

from __future__ import annotations

import json
import os
import shlex
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.artifacts import ParserOrigin
from casparian_flow.core.files import display_path
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.routes import routes_of
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.output.destinations import sink_named
from casparian_flow.operations.doing.run.next_run import MOST_COMPARED, RUN
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.planning.replaying import table_asked_for
from casparian_flow.sentinel.planning.routing import Routing, candidate_of
from casparian_flow.store import destinations as stored
from casparian_flow.store import replays as replay_store
from casparian_flow.store import standing as standing_store
from casparian_flow.store import tags as tag_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.sources import all_sources, source_in_use
from casparian_flow.store.views import readings as view

PLAN = "casparian plan"
"""What to do first where a run may move rows: it names each file that would be read otherwise than before."""
RUN_FOLDER = f"{RUN} DIR"
"""Where nothing says which files are meant, and a run of all would move rows."""
MOST_PATHS = 20
MOST_COMMANDS = 10


@dataclass(frozen=True, slots=True)
class _Way:
    """What was asked for, beside the path, when a file was read; `words` are those of the command line."""

    words: tuple[str, ...] = ()
    replaces: bool = False
    """Whether what is not read goes out of the table, so that a file cannot be read alone."""


_USUAL = _Way()


def run_again(connection: Connection, asker: Acting | Reading, jobs: Collection[int]) -> list[str]:
    """The commands under which a run reads the files of these jobs as the jobs did: one at least, the first few.

    Table, options, parser and sinks are named where they were asked for. A command names the folder that was read only
    if all that is shown of it was read in this way, and no path only if everything in the home was read without any
    such words: following it moves no other rows.
    """
    ways = _Ways(connection, asker)
    wanted = view.readings_of(connection, jobs)
    known = view.readings_in_force(connection, MOST_COMPARED + 1)
    read = [(_file(row), ways.of(row)) for row in (*known, *wanted)]
    if len(known) <= MOST_COMPARED:
        in_use = source_in_use(connection)
        if {way for _, way in read} <= {_USUAL} and all(in_use in (None, row.source_id) for row in wanted):
            return [RUN]
    if not wanted:
        return [RUN_FOLDER]

    @cache
    def ways_below(folder: bytes) -> frozenset[_Way]:
        if len(known) > MOST_COMPARED:
            return frozenset()
        return frozenset(way for path, way in read if path == folder or path.startswith(folder.rstrip(b"/") + b"/"))

    return _commands(
        (way, _from(_folder(row) if way.replaces or ways_below(_folder(row)) == {way} else _file(row), asker.cwd))
        for row in wanted
        for way in [ways.of(row)]
    )


def run_on(connection: Connection, asker: Acting | Reading) -> str:
    """The command that reads what is new as what is there was read, so that no rows of that are moved.

    A run without further words where everything was read so, the run of its folder where that is all there is and was
    read in one other way, and else the plan that tells them apart.
    """
    known = view.readings_in_force(connection, MOST_COMPARED + 1)
    if len(known) > MOST_COMPARED:
        return PLAN
    ways = _Ways(connection, asker)
    read = {(ways.of(row), _folder(row)) for row in known}
    if {way for way, _ in read} <= {_USUAL}:
        return RUN
    if len(read) > 1 or {row.source_id for row in known} != {each.id for each in all_sources(connection)}:
        return PLAN
    ((way, folder),) = read
    (command,) = _commands([(way, _from(folder, asker.cwd))])
    return command


def forced_again(connection: Connection, asker: Acting | Reading, job: int, path: str) -> str | None:
    """The command under which a run reads this one file as a job did, though nothing changed since.

    None where the job replaced its table: read alone, the file would replace all others.
    """
    ways = _Ways(connection, asker)
    for row in view.readings_of(connection, [job]):
        if not (way := ways.of(row)).replaces:
            return shlex.join([*RUN.split(), path, *way.words, "--force"])
    return None


class _Ways:
    """Tells of a job what a person asked for, under what stands in the home now."""

    def __init__(self, connection: Connection, asker: Acting | Reading) -> None:
        self._connection = connection
        self._asker = asker
        self._standing = standing_store.standing(connection)
        self._topics = stored.topics(connection)
        self._default = sink_named(connection, asker.home.default_sink, asker.cwd).target
        parsers = [load_registered(connection, each) for each in replay_store.newest_active(connection).values()]
        self._routing = Routing(
            parsers={each.artifact.name: candidate_of(0, each.manifest, each.artifact) for each in parsers},
            rules=tag_store.all_rules(connection),
        )
        self._tags = cache(self._tags_of_source)

    def of(self, row: AnyRow) -> _Way:
        """How the job of this row read its file."""
        words: list[str] = []
        tags = self._tags(row.source_id).get(row.location_id, ())
        usual = self._routing.choose(row.display, row.content, row.content_reason or "", tags, size=row.size).parser
        if usual is None or usual.artifact.name != row.parser:
            words += ["--parser", self._parser(row)]
        if (table := table_asked_for(row)) is not None:
            words += ["--table", table]
        stands = self._standing.get((row.parser, row.base_table), {})
        for name, value in sorted(json.loads(row.config).items()):
            if stands.get(name) != value:
                words += ["--option", f"{name}={value}"]
        return self._with_sinks(row, words)

    def _parser(self, row: AnyRow) -> str:
        """The word that names a parser: its name, or the place of one that is not among those of the home."""
        if row.origin != ParserOrigin.LOCAL:
            return str(row.parser)
        return _from(os.fsencode(row.parser_path), self._asker.cwd)

    def _with_sinks(self, row: AnyRow, words: Sequence[str]) -> _Way:
        routes = routes_of(row.routes)
        found = list(words)
        if [target.uri for target in routes.default] != [self._default]:
            found += [word for target in routes.default for word in ("--sink", target.uri)]
        for topic, targets in sorted(routes.topics.items()):
            if self._topics.get(topic) != targets:
                found += [word for target in targets for word in ("--topic", f"{topic}={target.uri}")]
        modes = {target.mode for target in routes.default}
        if modes == {SinkMode.REPLACE}:
            return _Way((*found, "--mode", SinkMode.REPLACE), replaces=True)
        return _Way(tuple(found))

    def _tags_of_source(self, source: int) -> Mapping[int, Sequence[str]]:
        found: dict[int, tuple[str, ...]] = defaultdict(tuple)
        for location, tag, _rule in tag_store.tags_of_sources(self._connection, [source]):
            found[location] += (tag,)
        return found


def _commands(read: Iterable[tuple[_Way, str]]) -> list[str]:
    """One command for all paths that are read in one way, unless they are too many for one."""
    paths: dict[_Way, dict[str, None]] = defaultdict(dict)
    for way, path in read:
        paths[way][path] = None
    several = [(way, list(named)[at : at + MOST_PATHS]) for way, named in paths.items() for at in _starts(named)]
    return [shlex.join([*RUN.split(), *named, *way.words]) for way, named in several[:MOST_COMMANDS]]


def _starts(named: Collection[str]) -> range:
    return range(0, len(named), MOST_PATHS)


def _folder(row: AnyRow) -> bytes:
    return _below(row.root, row.only) if row.only else bytes(row.root)


def _file(row: AnyRow) -> bytes:
    return _below(row.root, row.rel_path)


def _below(root: bytes, path: bytes) -> bytes:
    return root.rstrip(b"/") + b"/" + path


def _from(path: bytes, cwd: Path) -> str:
    """The path as somebody types it who stands there: what lies below is named from there."""
    whole, here = display_path(path), display_path(os.path.realpath(os.fsencode(cwd)))
    if whole == here:
        return "."
    below = whole.removeprefix(f"{here.rstrip('/')}/")
    return f"./{below}" if below.startswith("-") else below
