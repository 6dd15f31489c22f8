"""Finds what a replay would read again: the files behind causes, and which of them would come out otherwise today."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from casparian_flow.core.artifacts import ParserStatus
from casparian_flow.core.errors import NotFound, Refused, UsageError
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.keys import config_hash
from casparian_flow.core.outputs import SinkTarget
from casparian_flow.core.proposal_bodies import Selected, selection_digest
from casparian_flow.core.quarantine import EntryState
from casparian_flow.core.routes import Routes, routes_of
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.quarantine.causes import refuse_purged
from casparian_flow.sentinel.commit.landed import Conditions, changed_since
from casparian_flow.sentinel.planning.catalog import load_catalog
from casparian_flow.sentinel.planning.planner import World
from casparian_flow.sentinel.planning.registered import Registered
from casparian_flow.sentinel.planning.replaying import table_asked_for
from casparian_flow.sentinel.planning.undone_files import undone_files
from casparian_flow.sentinel.planning.world import gather_world
from casparian_flow.store import parsers as parser_store
from casparian_flow.store import repairs as repair_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.views import replays as view

AWAY = "its bytes are not there any more"
"""Why a file is left out that no path carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file that is read again: the last job that read it, and its rows that wait."""

    job: int
    source_hash: str
    path: str
    size: int
    rows: int
    base_table: str
    options: Mapping[str, str]
    """Under which it is read now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The table and the code of one cause of a file."""

    table: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a replay of causes is about. `files` come with most rows first; `left_out` are paths with the reason.

    `unchanged` files would come out as they did: nothing of what they were read with is another one today.
    """

    parser: Registered
    parser_id: int
    causes: Sequence[str]
    options: Mapping[str, str]
    files: Sequence[File]
    entries: Sequence[Selected]
    rejected: Sequence[Rejected]
    """What is known of them."""
    unchanged: int
    left_out: Sequence[tuple[str, str]]
    reopens: int
    contracts: Mapping[str, str]
    sinks: Sequence[str]
    """Those that the files went to when they were last read."""
    repairs: Sequence[int]
    """The values that persons put right in them and that no job has taken in yet, by the numbers of the repairs."""

    @property
    def digest(self) -> str:
        """Names exactly this: another one when files, parser, options or contracts are others."""
        artifact = self.parser.artifact
        made_by = [
            artifact.artifact_hash,
            artifact.env_hash,
            dict(self.options),
            sorted(self.contracts.items()),
            self.repairs,
        ]
        return digest_of_json(["replay", selection_digest(self.entries), made_by])


def find(acting: Acting, groups: Sequence[str], options: Mapping[str, str]) -> Found:
    """What reading the rows of these groups again is about; raises NotFound, UsageError and Refused."""
    with acting.database.transaction() as connection:
        causes, name = _causes(connection, groups)
        path = parser_store.newest_path(connection, name)
    load = partial(load_catalog, acting.database, acting.home.plugins, cwd=acting.cwd, now_ns=acting.clock())
    catalog = load(explicit=None)
    if name not in catalog.candidates:  # it was named by its path
        catalog = load(explicit=path)
    candidate = catalog.candidates[name]
    parser = catalog.registered[candidate.id]
    with acting.database.transaction() as connection:
        waiting = view.waiting(connection, causes)
        for cause in () if waiting else causes:
            refuse_purged(connection, cause, acting.clock())
        _check(parser, options, was_named=any(row.status != ParserStatus.ACTIVE for row in waiting))
        world = gather_world(
            connection,
            parsers=catalog.candidates,
            explicit=name,
            routes=Routes(default=(SinkTarget(acting.home.default_sink),)),
            options={},
            table=None,
            force=False,
            modes=acting.settings.drift.modes,
        )
        wanted = _options(parser, waiting, world.standing, options)
        changed = _changed(parser, waiting, world, wanted)
        undone = undone_files(connection, {row.job_id for row in waiting})
        chosen = [
            row
            for row in waiting
            if row.job_id in changed
            and not row.is_away
            and row.source_hash not in world.trimmed
            and row.job_id not in undone
        ]
        files = _files(chosen, wanted)
        bases = {file.base_table for file in files}
        after = {base: {**world.standing.get((name, base), {}), **options} for base in bases}
        is_new = any(after[base] != world.standing.get((name, base), {}) for base in bases)
        repairs = _new_repairs(connection, name, chosen, world)
        others = _others(connection, name, after, files) if is_new else frozenset()
    tables = {row.table_name for row in waiting}
    left_out = {
        row.path: f"rows of it that {world.trimmed[row.source_hash]} erased would be back; run it with --force"
        for row in waiting
        if row.job_id in changed and row.source_hash in world.trimmed
    }
    left_out |= {row.path: undone[row.job_id].why for row in waiting if row.job_id in undone}
    left_out |= {row.path: AWAY for row in waiting if row.is_away and row.job_id in changed}
    return Found(
        parser=parser,
        parser_id=candidate.id,
        causes=causes,
        options=dict(options),
        files=files,
        entries=[Selected(job=row.job_id, cause=row.reference) for row in chosen],
        rejected=[Rejected(table=row.table_name, code=row.code) for row in chosen],
        unchanged=len({row.source_hash for row in waiting if row.job_id not in changed and row.job_id not in undone}),
        left_out=sorted(left_out.items()),
        reopens=len(others),
        sinks=sorted({sink for row in chosen for sink in routes_of(row.routes).sinks}),
        contracts={table: hash_ for table, hash_ in world.contracts.items() if table in tables},
        repairs=repairs,
    )


def _others(
    connection: Connection, parser: str, after: Mapping[str, Mapping[str, str]], files: Sequence[File]
) -> frozenset[str]:
    """The bytes of the other files of these tables that were read under other options than those that stand `after`."""
    found = (view.read_otherwise(connection, parser, base, options) for base, options in after.items())
    return frozenset[str]().union(*found) - {file.source_hash for file in files}


def _causes(connection: Connection, groups: Sequence[str]) -> tuple[list[str], str]:
    """The causes that are meant and their one parser."""
    found: dict[str, set[str]] = {}
    for named in groups:
        rows = view.causes_named(connection, named) if named else []
        references = sorted({row.reference for row in rows})
        if not references:
            raise NotFound(f"there is no quarantine group {named!r}", fix="casparian quarantine list")
        if len(references) > 1 and named not in references:
            raise UsageError(f"{named!r} names several groups", why=", ".join(references[:5]))
        meant = named if named in references else references[0]
        found[meant] = {row.parser for row in rows if row.reference == meant}
    parsers = sorted(set().union(*found.values()))
    if len(parsers) > 1:
        raise UsageError("these groups are of several parsers", why=", ".join(parsers), fix="replay them one by one")
    return sorted(found), parsers[0]


def _check(parser: Registered, options: Mapping[str, str], *, was_named: bool) -> None:
    """Refuse a parser that may not run by itself, unless a person named it when the rows were read, and its options."""
    name, status = parser.artifact.name, parser.artifact.status
    if status is not ParserStatus.ACTIVE and not was_named:
        raise Refused(f"parser {name} is {status}, not active", fix=f"casparian parser show {name}")
    unknown = sorted(set(options) - set(parser.manifest.options))
    if unknown:
        known = ", ".join(sorted(parser.manifest.options)) or "none"
        raise UsageError(f"parser {name} has no option {unknown[0]}", why=f"it has: {known}")


def _new_repairs(connection: Connection, parser: str, chosen: Sequence[AnyRow], world: World) -> list[int]:
    """The repairs that these files would take in, of those that hold."""
    changed = {row.source_hash for row in chosen if row.repairs != world.repairs.get((row.source_hash, parser), "")}
    return sorted(
        row["id"]
        for row in repair_store.list_repairs(connection, with_revoked=False)
        if row["parser_name"] == parser and row["source_hash"] in changed
    )


def _options(
    parser: Registered,
    waiting: Sequence[AnyRow],
    standing: Mapping[tuple[str, str], Mapping[str, str]],
    given: Mapping[str, str],
) -> dict[int, dict[str, str]]:
    """The options under which the file of each job would be read: those that it had, that stand, that are given."""
    name = parser.artifact.name
    return {
        row.job_id: json.loads(row.config) | dict(standing.get((name, row.base_table), {})) | dict(given)
        for row in waiting
    }


def _changed(
    parser: Registered, waiting: Sequence[AnyRow], world: World, options: Mapping[int, Mapping[str, str]]
) -> set[int]:
    """The jobs that would come out otherwise today: a fix is ready, or something they were made by is another one."""
    name = parser.artifact.name
    changed = {row.job_id for row in waiting if row.entry == EntryState.FIX_READY}
    for row in {row.job_id: row for row in waiting if row.job_id not in changed}.values():
        done = [each for each in world.done.get(row.source_hash, ()) if each.parser == name]
        now = Conditions(
            artifact=parser.artifact,
            config=config_hash(options[row.job_id], table_asked_for(row)),
            contracts=world.contracts,
            modes=world.modes,
            repairs=world.repairs.get((row.source_hash, name), ""),
        )
        if changed_since(done, routes_of(row.routes), now) is not None:
            changed.add(row.job_id)
    return changed


def _files(chosen: Sequence[AnyRow], options: Mapping[int, Mapping[str, str]]) -> list[File]:
    """One for each bytes, by the last job that read them, most rows first."""
    newest = {row.source_hash: row for row in chosen}
    rows: dict[str, int] = {}
    for row in chosen:
        if row.job_id == newest[row.source_hash].job_id:
            rows[row.source_hash] = rows.get(row.source_hash, 0) + row.rows
    files = [
        File(
            job=row.job_id,
            source_hash=row.source_hash,
            path=row.path,
            size=row.size,
            rows=rows[row.source_hash],
            base_table=row.base_table,
            options=options[row.job_id],
        )
        for row in newest.values()
    ]
    return sorted(files, key=lambda file: (-file.rows, file.job))
