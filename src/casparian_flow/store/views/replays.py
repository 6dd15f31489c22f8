"""What a replay would be about, and the replays that there were."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, bindparam, exists, func, select

from casparian_flow.core.keys import config_hash
from casparian_flow.core.quarantine import OPEN_STATES
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.prepared import each_of, listed
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
    sources,
    versions,
)

MOST_SHOWN = 1000
CAUSES = (
    select(quarantine.c.reference, parsers.c.name.label("parser"))
    .distinct()
    .select_from(
        quarantine.join(jobs, jobs.c.id == quarantine.c.job_id).join(parsers, parsers.c.id == jobs.c.parser_id)
    )
    .where(func.substr(quarantine.c.reference, 1, func.length(bindparam("named"))) == bindparam("named"))
    .order_by(quarantine.c.reference)
    .limit(10)
)
WAITING = (
    select(
        quarantine.c.job_id,
        quarantine.c.reference,
        quarantine.c.table_name,
        quarantine.c.code,
        quarantine.c.rows,
        quarantine.c.state.label("entry"),
        jobs.c.source_hash,
        jobs.c.base_table,
        jobs.c.config,
        jobs.c.config_hash,
        jobs.c.routes,
        jobs.c.repairs,
        parsers.c.status,
        locations.c.display.label("path"),
        locations.c.rel_path,
        sources.c.root,
        versions.c.size,
        (locations.c.is_missing | (locations.c.current_version_id != versions.c.id)).label("is_away"),
    )
    .select_from(
        quarantine.join(jobs, jobs.c.id == quarantine.c.job_id)
        .join(versions, versions.c.id == jobs.c.version_id)
        .join(locations, locations.c.id == jobs.c.location_id)
        .join(sources, sources.c.id == locations.c.source_id)
        .join(parsers, parsers.c.id == jobs.c.parser_id)
    )
    .where(
        quarantine.c.is_current,
        quarantine.c.state.in_(OPEN_STATES),
        quarantine.c.reference.in_(each_of("causes")),
    )
    .order_by(quarantine.c.job_id)
)
READ_OTHERWISE = (
    select(materializations.c.source_hash)
    .distinct()
    .select_from(
        materializations.join(jobs, jobs.c.id == materializations.c.job_id).join(
            parsers, parsers.c.id == jobs.c.parser_id
        )
    )
    .where(
        parsers.c.name == bindparam("parser"),
        jobs.c.base_table == bindparam("base"),
        materializations.c.is_current,
        materializations.c.config_hash.not_in(each_of("configs")),
        exists(
            select(versions.c.id)
            .join(locations, locations.c.current_version_id == versions.c.id)
            .where(versions.c.source_hash == materializations.c.source_hash, locations.c.is_missing.is_(False))
        ),
    )
)
_counts: list[ColumnElement[Any]] = [
    func.count(replay_files.c.version_id).label("files"),
    *(
        func.count().filter(replay_files.c.outcome == word).label(word)
        for word in ("done", "failed", "differs", "skipped")
    ),
]
LIST: Select[Any] = (
    select(*replays.c, proposals.c.kind.label("proposal_kind"), *_counts)
    .select_from(
        replays.outerjoin(replay_files, replay_files.c.replay_id == replays.c.id).outerjoin(
            proposals, proposals.c.id == replays.c.proposal_id
        )
    )
    .group_by(replays.c.id)
    .order_by(replays.c.id.desc())
)

# What one permit brought of many jobs is kept in the name of one of them, which is of the same replay.
_first = (
    select(commits.c.sink_uri, commits.c.table_name, func.min(commits.c.id).label("commit"))
    .join(replay_files, replay_files.c.new_job == commits.c.job_id)
    .where(replay_files.c.replay_id == bindparam("replay"))
    .group_by(commits.c.sink_uri, commits.c.table_name)
    .subquery("first_commits")
)
_earlier = commits.alias("earlier_commits")
BEFORE = select(
    _first.c.sink_uri,
    _first.c.table_name,
    select(func.coalesce(func.max(_earlier.c.id), 0))
    .where(
        _earlier.c.sink_uri == _first.c.sink_uri,
        _earlier.c.table_name == _first.c.table_name,
        _earlier.c.id < _first.c.commit,
    )
    .correlate(_first)
    .scalar_subquery()
    .label("snapshot"),
).order_by(_first.c.table_name, _first.c.sink_uri)


def causes_named(connection: Connection, named: str) -> Sequence[AnyRow]:
    """The causes, with their parsers, whose short name begins so; ten at most."""
    return connection.execute(CAUSES, {"named": named}).all()


def waiting(connection: Connection, causes: Iterable[str]) -> Sequence[AnyRow]:
    """The rejected rows of these causes that wait, by job and cause, with the file that each job read."""
    return connection.execute(WAITING, {"causes": json.dumps(sorted(causes))}).all()


def read_otherwise(connection: Connection, parser: str, base: str, options: Mapping[str, str]) -> set[str]:
    """The bytes of files that are there and ask for this table, whose rows a parser read under other options."""
    configs = [config_hash(options, None), config_hash(options, base)]  # who asks for its own table names none
    given = {"parser": parser, "base": base, "configs": listed(configs)}
    return set(connection.execute(READ_OTHERWISE, given).scalars())


def list_replays(connection: Connection, limit: int = MOST_SHOWN) -> Sequence[RowMapping]:
    """The newest replays, newest first, with how many of their files came to what."""
    return connection.execute(LIST.limit(limit)).mappings().all()


def one_replay(connection: Connection, replay: int) -> RowMapping | None:
    """One of them; None if there is none of that number."""
    return connection.execute(LIST.where(replays.c.id == replay)).mappings().first()


def snapshots_before(connection: Connection, replay: int) -> Sequence[AnyRow]:
    """For each table of a sink that a replay wrote to, the snapshot that it was at before."""
    return connection.execute(BEFORE, {"replay": replay}).all()
