"""Replays: which bytes are read again and why, how far each is, and what became of its files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, literal_column, select, update

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.quarantine import EntryState
from casparian_flow.core.replays import STAGES, ReplayKind, ReplayOutcome, ReplayStage
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.jobs import CARRIED
from casparian_flow.store.prepared import each_of
from casparian_flow.store.tables import (
    commits,
    jobs,
    locations,
    materializations,
    parsers,
    proposals,
    quarantine,
    replay_files,
    replays,
    runs,
    versions,
)

ON_THE_WAY = (ReplayStage.CANARY, ReplayStage.REST)
"""Stages in which its files are for the replay alone to read."""


class Expected(msgspec.Struct, frozen=True, array_like=True):
    """What a file brings to a table if it comes out as its dry run did; no digest: rows of any content."""

    accepted: int
    quarantined: int
    row_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReplay:
    """A replay as it is asked for.

    `options` are those that it reads with beside the standing ones, which they become when the canary succeeded;
    `parser` is the artifact that reads, else the newest active one of each name.
    """

    kind: ReplayKind
    causes: Sequence[str]
    asked_by: str
    reason: str
    selection_digest: str
    proposal: int | None = None
    options: Mapping[str, str] | None = None
    parser: int | None = None
    canary: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """One of its files: the version to be read, the job that read it, and what it is expected to bring, by table.

    Of `expected`, None: it comes out as it comes out. Empty: it may not lose an accepted row. A file that cannot be
    read any more has its outcome already.
    """

    version: int
    old_job: int
    expected: Mapping[str, Expected] | None
    is_canary: bool = False
    outcome: ReplayOutcome | None = None


_is_on_the_way = replays.c.stage.in_([literal_column(f"'{stage}'") for stage in ON_THE_WAY])
BY_ID = select(replays).where(replays.c.id == bindparam("replay"))
ON_ITS_WAY = select(replays).where(_is_on_the_way).order_by(replays.c.id)
OF_PLAN = select(replays).where(_is_on_the_way, replays.c.plan_id == bindparam("plan"))
FILES = (
    select(
        replay_files,
        locations.c.display.label("path"),
        jobs.c.state,
        jobs.c.error_code,
        jobs.c.error_message,
        jobs.c.bytes_read,
        versions.c.size,
        CARRIED.label("carried"),
    )
    .select_from(
        replay_files.join(versions, versions.c.id == replay_files.c.version_id)
        .join(locations, locations.c.id == versions.c.location_id)
        .outerjoin(jobs, jobs.c.id == replay_files.c.new_job)
    )
    .where(replay_files.c.replay_id == bindparam("replay"))
    .order_by(replay_files.c.is_canary.desc(), replay_files.c.old_job)
)
_its_file = (replay_files.c.replay_id == bindparam("of"), replay_files.c.version_id == bindparam("version"))
SET_JOB = update(replay_files).where(*_its_file).values(new_job=bindparam("job"))
SET_OUTCOME = update(replay_files).where(*_its_file).values(outcome=bindparam("came_to"))
MOVE = update(replays).where(replays.c.id == bindparam("replay"), replays.c.stage == bindparam("from"))
OLD_JOBS = (
    select(jobs, parsers.c.name.label("parser_name"), runs.c.policy, locations.c.display.label("path"))
    .select_from(
        jobs.join(parsers, parsers.c.id == jobs.c.parser_id)
        .join(locations, locations.c.id == jobs.c.location_id)
        .outerjoin(runs, runs.c.plan_id == jobs.c.plan_id)
    )
    .where(jobs.c.id.in_(each_of("jobs")))
    .order_by(jobs.c.id)
)
CARRIERS = (
    select(jobs.c.id.label("job"), versions.c.id.label("version"), locations.c.id.label("location"))
    .select_from(
        jobs.join(versions, versions.c.source_hash == jobs.c.source_hash).join(
            locations, locations.c.current_version_id == versions.c.id
        )
    )
    .where(jobs.c.id.in_(each_of("jobs")), locations.c.is_missing.is_(False))
    .order_by((locations.c.id == jobs.c.location_id), locations.c.id.desc())
)
ACTIVE = (
    select(parsers.c.name, func.max(parsers.c.id).label("id"))
    .where(parsers.c.status == literal_column("'active'"))
    .group_by(parsers.c.name)
)
REPLACED = (
    select(materializations.c.source_hash)
    .distinct()
    .where(
        materializations.c.is_current.is_(True),
        materializations.c.sink_uri.in_(each_of("sinks")),
        materializations.c.sink_mode == literal_column("'replace'"),
    )
    .order_by(materializations.c.source_hash)
)
_shown = jobs.alias("shown_jobs")
ROUTES_SHOWING = (
    select(jobs.c.id, _shown.c.routes)
    .distinct()
    .select_from(
        jobs.join(parsers, parsers.c.id == jobs.c.parser_id)
        .join(
            materializations,
            (materializations.c.source_hash == jobs.c.source_hash) & (materializations.c.parser_name == parsers.c.name),
        )
        .join(_shown, _shown.c.id == materializations.c.job_id)
    )
    .where(jobs.c.id.in_(each_of("jobs")), materializations.c.is_current.is_(True))
    .order_by(jobs.c.id, _shown.c.routes)
)
BROUGHT = (
    select(
        materializations.c.job_id,
        materializations.c.table_name,
        func.max(materializations.c.accepted).label("accepted"),
        func.max(materializations.c.quarantined).label("quarantined"),
        func.max(materializations.c.row_digest).label("row_digest"),
    )
    .where(materializations.c.job_id.in_(each_of("jobs")), materializations.c.table_name != "")
    .group_by(materializations.c.job_id, materializations.c.table_name)
)
SINKS_OF = (
    select(
        materializations.c.job_id, materializations.c.table_name, func.min(materializations.c.sink_uri).label("sink")
    )
    .where(materializations.c.job_id.in_(each_of("jobs")), materializations.c.table_name != "")
    .group_by(materializations.c.job_id, materializations.c.table_name)
)
# What one permit brought of many jobs is kept in the name of one of them, which is of the same replay.
FIRST_ENTRIES = (
    select(commits.c.sink_uri, commits.c.table_name, commits.c.role, func.min(commits.c.seq).label("seq"))
    .join(replay_files, replay_files.c.new_job == commits.c.job_id)
    .where(replay_files.c.replay_id == bindparam("replay"))
    .group_by(commits.c.sink_uri, commits.c.table_name, commits.c.role)
)
REOPENED = (
    select(jobs.c.source_hash, parsers.c.name, func.min(quarantine.c.reference).label("cause"))
    .select_from(
        quarantine.join(jobs, jobs.c.id == quarantine.c.job_id).join(parsers, parsers.c.id == jobs.c.parser_id)
    )
    .where(quarantine.c.is_current, quarantine.c.state == literal_column(f"'{EntryState.FIX_READY}'"))
    .group_by(jobs.c.source_hash, parsers.c.name)
)
BEING_READ = (
    select(versions.c.source_hash, parsers.c.name, func.max(replays.c.id).label("replay"))
    .select_from(
        replays.join(replay_files, replay_files.c.replay_id == replays.c.id)
        .join(versions, versions.c.id == replay_files.c.version_id)
        .join(jobs, jobs.c.id == replay_files.c.old_job)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
    )
    .where(_is_on_the_way, replay_files.c.outcome.is_(None))
    .group_by(versions.c.source_hash, parsers.c.name)
)
_waits = quarantine.c.state.in_(
    [literal_column(f"'{state}'") for state in (EntryState.OPEN, EntryState.TRIAGED, EntryState.FIX_READY)]
)
WAITING = select(quarantine.c.job_id, quarantine.c.reference).where(
    quarantine.c.job_id.in_(each_of("jobs")), quarantine.c.is_current, _waits
)
CAUSES_OF = (
    select(quarantine.c.reference)
    .distinct()
    .where(quarantine.c.job_id.in_(each_of("jobs")), quarantine.c.table_name == bindparam("table"))
    .where(quarantine.c.is_current)
    .order_by(quarantine.c.reference)
)
AMENDED = (
    select(replays.c.id, proposals.c.table_name, proposals.c.body)
    .select_from(replays.join(proposals, proposals.c.id == replays.c.proposal_id))
    .where(replays.c.kind == literal_column(f"'{ReplayKind.AMENDMENT}'"))
    .where(proposals.c.table_name.in_(each_of("tables")))
    .order_by(replays.c.id)
)
READ_BY = (
    select(replay_files.c.replay_id, versions.c.source_hash)
    .select_from(replay_files.join(versions, versions.c.id == replay_files.c.version_id))
    .where(replay_files.c.replay_id.in_(each_of("replays")))
    .where(replay_files.c.version_id.in_(select(versions.c.id).where(versions.c.source_hash.in_(each_of("hashes")))))
)
NOT_READY = (
    update(quarantine)
    .where(quarantine.c.job_id.in_(each_of("jobs")))
    .where(quarantine.c.state == literal_column(f"'{EntryState.FIX_READY}'"))
    .values(state=EntryState.OPEN)
)


def add(connection: Connection, replay: NewReplay, files: Iterable[NewFile], now_ns: int) -> int:
    """Keep a replay that begins with its canary; its id."""
    number = connection.execute(
        insert(replays).returning(replays.c.id),
        {
            "kind": replay.kind,
            "proposal_id": replay.proposal,
            "causes": json.dumps(sorted(replay.causes)),
            "stage": ReplayStage.CANARY,
            "config": None if replay.options is None else json.dumps(dict(replay.options), sort_keys=True),
            "parser_id": replay.parser,
            "selection_digest": replay.selection_digest,
            "canary": replay.canary,
            "asked_by": replay.asked_by,
            "reason": replay.reason,
            "made_at_ns": now_ns,
        },
    ).scalar_one()
    connection.execute(
        insert(replay_files),
        [
            {
                "replay_id": number,
                "version_id": file.version,
                "old_job": file.old_job,
                "is_canary": file.is_canary,
                "expected": msgspec.json.encode(None if file.expected is None else dict(file.expected)).decode(),
                "outcome": file.outcome,
            }
            for file in files
        ],
    )
    return int(number)


def one(connection: Connection, replay: int) -> AnyRow | None:
    """A replay by its id; None if there is none."""
    return connection.execute(BY_ID, {"replay": replay}).first()


def on_the_way(connection: Connection) -> Sequence[AnyRow]:
    """The replays that are neither done nor stopped, oldest first."""
    return connection.execute(ON_ITS_WAY).all()


def of_plan(connection: Connection, plan: int) -> AnyRow | None:
    """The replay on its way whose files this run reads; None for every other run."""
    return connection.execute(OF_PLAN, {"plan": plan}).first()


def files_of(connection: Connection, replay: int) -> Sequence[AnyRow]:
    """Its files, the canary first, each with its path and the state of the job that reads it again."""
    return connection.execute(FILES, {"replay": replay}).all()


def expected_of(file: AnyRow) -> dict[str, Expected] | None:
    """What one of its files is expected to bring, by table; see `NewFile`."""
    return msgspec.json.decode(file.expected, type=dict[str, Expected] | None)


def old_jobs(connection: Connection, of_jobs: Iterable[int]) -> dict[int, AnyRow]:
    """Jobs as they were queued, each with its path, its parser's name and the policy of its run."""
    return {row.id: row for row in connection.execute(OLD_JOBS, {"jobs": json.dumps(list(of_jobs))})}


def carriers(connection: Connection, of_jobs: Iterable[int]) -> dict[int, AnyRow]:
    """Where the bytes that jobs read are now, by job: version and location, at best the one that the job read."""
    return {row.job: row for row in connection.execute(CARRIERS, {"jobs": json.dumps(list(of_jobs))})}


def newest_active(connection: Connection) -> dict[str, int]:
    """The artifact of each parser that was registered last, of those that may run."""
    return {row.name: row.id for row in connection.execute(ACTIVE)}


def replaced_in(connection: Connection, sinks: Iterable[str]) -> tuple[str, ...]:
    """The bytes whose rows are in tables that runs replace as a whole."""
    return tuple(connection.execute(REPLACED, {"sinks": json.dumps(list(sinks))}).scalars())


def waiting(connection: Connection, of_jobs: Iterable[int]) -> set[tuple[int, str]]:
    """The rejected rows of jobs that wait now, by job and cause."""
    return {(row.job_id, row.reference) for row in connection.execute(WAITING, {"jobs": json.dumps(list(of_jobs))})}


def causes_of(connection: Connection, of_jobs: Iterable[int], table: str) -> list[str]:
    """The causes by which rows of a table are rejected now that these jobs read."""
    return list(connection.execute(CAUSES_OF, {"jobs": json.dumps(list(of_jobs)), "table": table}).scalars())


def routes_showing(connection: Connection, of_jobs: Iterable[int]) -> Sequence[AnyRow]:
    """The routes of every job that shows rows of the same bytes by the same parser, by the job that is named."""
    return connection.execute(ROUTES_SHOWING, {"jobs": json.dumps(list(of_jobs))}).all()


def set_jobs(connection: Connection, replay: int, plan: int, of_versions: Mapping[int, int]) -> None:
    """These jobs of a run read the files now, by version."""
    connection.execute(update(replays).where(replays.c.id == replay).values(plan_id=plan))
    connection.execute(
        SET_JOB, [{"of": replay, "version": version, "job": job} for version, job in of_versions.items()]
    )


def set_outcome(connection: Connection, replay: int, version: int, outcome: ReplayOutcome) -> None:
    """What became of one of its files."""
    connection.execute(SET_OUTCOME, {"of": replay, "version": version, "came_to": outcome})


def move(connection: Connection, replay: AnyRow, to: ReplayStage, now_ns: int, *, why: str | None = None) -> None:
    """Its next stage; raises InvariantBroken if it is elsewhere by now, or cannot go there."""
    if to not in STAGES[ReplayStage(replay.stage)]:
        raise InvariantBroken(f"replay {replay.id} cannot go from {replay.stage} to {to}")
    values: dict[str, object] = {"stage": to, "stop_reason": why}
    if not STAGES[to]:
        values["ended_at_ns"] = now_ns
    changed = connection.execute(MOVE.values(values), {"replay": replay.id, "from": replay.stage})
    if changed.rowcount != 1:
        raise InvariantBroken(f"replay {replay.id} is not {replay.stage} any more")


def brought(connection: Connection, of_jobs: Iterable[int]) -> dict[int, dict[str, Expected]]:
    """What jobs brought to each table, by job; one that left nothing anywhere is not there."""
    found: dict[int, dict[str, Expected]] = defaultdict(dict)
    for row in connection.execute(BROUGHT, {"jobs": json.dumps(list(of_jobs))}):
        found[row.job_id][row.table_name] = Expected(row.accepted, row.quarantined, row.row_digest)
    return found


def sinks_of(connection: Connection, of_jobs: Iterable[int]) -> dict[tuple[int, str], str]:
    """A sink in which the rows of jobs are or were, by job and table."""
    found = connection.execute(SINKS_OF, {"jobs": json.dumps(list(of_jobs))})
    return {(row.job_id, row.table_name): row.sink for row in found}


def first_entries(connection: Connection, replay: int) -> dict[tuple[str, str, str], int]:
    """The first log entry of a replay, by sink, table and role."""
    found = connection.execute(FIRST_ENTRIES, {"replay": replay})
    return {(row.sink_uri, row.table_name, row.role): row.seq for row in found}


def reopened(connection: Connection) -> dict[tuple[str, str], str]:
    """A cause with a fix that is ready, by the bytes of its rows and their parser."""
    return {(row.source_hash, row.name): row.cause for row in connection.execute(REOPENED)}


def being_read(connection: Connection) -> dict[tuple[str, str], int]:
    """The replay that reads bytes again or will, by bytes and parser."""
    return {(row.source_hash, row.name): row.replay for row in connection.execute(BEING_READ)}


def of_amendments(connection: Connection, of_tables: Iterable[str]) -> Sequence[AnyRow]:
    """The replays that changes of the contracts of these tables began, oldest first: id, table, body of the change."""
    return connection.execute(AMENDED, {"tables": json.dumps(sorted(of_tables))}).all()


def read_by(connection: Connection, of_replays: Iterable[int], hashes: Iterable[str]) -> set[tuple[int, str]]:
    """Which of these bytes replays are about, by replay and bytes."""
    asked = {"replays": json.dumps(sorted(of_replays)), "hashes": json.dumps(sorted(hashes))}
    return {(row.replay_id, row.source_hash) for row in connection.execute(READ_BY, asked)}


def set_back(connection: Connection, of_jobs: Iterable[int]) -> None:
    """The fix of these jobs' rejected rows is none: they wait for another one."""
    connection.execute(NOT_READY, {"jobs": json.dumps(list(of_jobs))})
