"""Every file location with its state: the one place that says what state a file is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    RowMapping,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from casparian_flow.core.files import EntryKind, FileState
from casparian_flow.core.jobs import FINAL_STATES, INTERRUPTED, JobState
from casparian_flow.core.quarantine import OPEN_STATES
from casparian_flow.store.notes import Note, noted
from casparian_flow.store.tables import (
    decisions,
    jobs,
    locations,
    materializations,
    parsers,
    quarantine,
    sources,
    tags,
    versions,
)
from casparian_flow.store.views.places import FOLDER

_latest = jobs.alias("latest")
_older = versions.alias("older")
_main = locations.alias("main")
_same = locations.alias("same")

# The newest job that read these bytes, at whichever path: the same bytes are parsed once.
_latest_job = (
    select(func.max(jobs.c.id))
    .where(jobs.c.source_hash == versions.c.source_hash)
    .correlate(versions)
    .scalar_subquery()
)
_was_read = exists(
    select(literal(1))
    .select_from(_older.join(jobs, jobs.c.source_hash == _older.c.source_hash))
    .where(_older.c.location_id == locations.c.id, jobs.c.state == JobState.COMPLETED)
).correlate(locations)
# A file read within moments of its change stays dirty, to be read again; that does not make it changed.
# The version of a database has the size of its journals too.
IS_CHANGED = and_(
    locations.c.is_dirty,
    or_(
        locations.c.mtime_ns.is_not(versions.c.mtime_ns),
        and_(locations.c.size.is_not(versions.c.size), versions.c.content.is_not("sqlite")),
    ),
)
_has_open_quarantine = exists(
    select(literal(1)).where(
        quarantine.c.job_id == _latest.c.id, quarantine.c.is_current, quarantine.c.state.in_(OPEN_STATES)
    )
).correlate(_latest)

_has_changed = or_(versions.c.id.is_(None), IS_CHANGED)
_is_fresh = or_(decisions.c.version_id.is_(None), decisions.c.version_id == locations.c.current_version_id)

STATE: ColumnElement[str] = case(
    (locations.c.is_missing, literal(FileState.MISSING.value)),
    (locations.c.kind != EntryKind.FILE, literal(FileState.SKIPPED.value)),
    (locations.c.part_of.is_not(None), literal(FileState.SKIPPED.value)),
    (
        _has_changed,
        case((_was_read, literal(FileState.CHANGED.value)), else_=literal(FileState.NEW.value)),
    ),
    (_latest.c.state == JobState.FAILED, literal(FileState.FAILED.value)),
    (
        # What ended with its process says nothing about the file: it waits for the next run.
        and_(
            _latest.c.state.in_((JobState.ABORTED, JobState.REJECTED)),
            _latest.c.error_code.is_distinct_from(INTERRUPTED),
        ),
        literal(FileState.SKIPPED.value),
    ),
    (
        _latest.c.state == JobState.COMPLETED,
        case((_has_open_quarantine, literal(FileState.QUARANTINED.value)), else_=literal(FileState.DONE.value)),
    ),
    (_latest.c.state.not_in(tuple(FINAL_STATES)), literal(FileState.ACTIVE.value)),
    (and_(decisions.c.action == "skip", _is_fresh), literal(FileState.SKIPPED.value)),
    (_was_read, literal(FileState.CHANGED.value)),
    else_=literal(FileState.NEW.value),
).label("state")

_FROM = (
    locations.join(sources, sources.c.id == locations.c.source_id)
    .outerjoin(versions, versions.c.id == locations.c.current_version_id)
    .outerjoin(decisions, decisions.c.location_id == locations.c.id)
    .outerjoin(_latest, _latest.c.id == _latest_job)
    .outerjoin(parsers, parsers.c.id == _latest.c.parser_id)
    .outerjoin(_main, _main.c.id == locations.c.part_of)
)
FILES: Select[tuple[object, ...]] = select(
    locations.c.id,
    locations.c.source_id,
    locations.c.rel_path,
    locations.c.display.label("path"),
    FOLDER.label("source"),
    locations.c.kind,
    locations.c.problem,
    locations.c.size,
    locations.c.mtime_ns,
    locations.c.is_dirty,
    locations.c.settles_at_ns,
    locations.c.current_version_id.label("version_id"),
    _main.c.display.label("part_of"),
    versions.c.source_hash,
    versions.c.sha256,
    versions.c.content,
    versions.c.content_reason,
    decisions.c.plan_id.label("decided_plan"),
    decisions.c.action,
    decisions.c.reason.label("decided"),
    decisions.c.detail.label("decided_detail"),
    func.coalesce(parsers.c.name, decisions.c.parser).label("parser"),
    decisions.c.version_id.label("decided_version_id"),
    _latest.c.id.label("job_id"),
    _latest.c.state.label("job_state"),
    _latest.c.plan_id.label("job_plan"),
    _latest.c.base_table.label("job_table"),
    _latest.c.error_code,
    _latest.c.error_message,
    STATE,
).select_from(_FROM)
COUNT_BY_STATE = select(STATE, func.count()).select_from(_FROM).group_by(STATE)
PLACES_OF_SOURCES = select(sources.c.id, sources.c.root, sources.c.only).order_by(sources.c.id)
TABLES_OF_HASHES = (
    select(materializations.c.source_hash, materializations.c.table_name)
    .where(materializations.c.is_current, materializations.c.table_name != "")
    .distinct()
    .order_by(materializations.c.table_name)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFilter:
    """Which files are meant; what is not given does not restrict."""

    source: str | None = None
    tag: str | None = None
    untagged: bool = False
    states: tuple[FileState, ...] = ()
    extension: str | None = None
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class FileCursor:
    """The place in the list after which the next page begins."""

    source_id: int
    rel_path: bytes


def list_files(
    connection: Connection, where: FileFilter, *, after: FileCursor | None, limit: int
) -> Sequence[RowMapping]:
    """At most so many files in the order of source and path, from after the cursor.

    One that several sources hold is there once, as that of the widest, unless one source or a tag is asked for: a tag
    is given to a file of one source.
    """
    is_of_one = where.source is not None or where.tag is not None or where.untagged
    statement = FILES.order_by(locations.c.source_id, locations.c.rel_path).limit(limit)
    for condition in [*_conditions(where), *([] if is_of_one else _shown_once(connection))]:
        statement = statement.where(condition)
    if after is not None:
        place = tuple_(literal(after.source_id), literal(after.rel_path, LargeBinary))
        statement = statement.where(tuple_(locations.c.source_id, locations.c.rel_path) > place)
    return connection.execute(statement).mappings().all()


def find_files(connection: Connection, places: Sequence[tuple[int, bytes]], shown: str) -> Sequence[RowMapping]:
    """The files at these (source, relative path), else those whose whole path is shown so, else whose end is."""
    exact = [
        and_(locations.c.source_id == source, locations.c.rel_path == cast(literal(path, LargeBinary), LargeBinary))
        for source, path in places
    ]
    ending = locations.c.display.endswith("/" + shown, autoescape=True)
    for condition in ([or_(*exact)] if exact else []) + [locations.c.display == shown, ending]:
        found = connection.execute(FILES.where(condition).limit(20)).mappings().all()
        if found:
            return found
    return []


def count_by_state(connection: Connection, source: int | None = None) -> dict[FileState, int]:
    """How many files (of one source) are in each state; the numbers add up to all files that `list_files` gives."""
    only = _shown_once(connection) if source is None else [locations.c.source_id == source]
    statement = COUNT_BY_STATE.where(*only)
    counts = {FileState(state): count for state, count in connection.execute(statement)}
    return {state: counts.get(state, 0) for state in FileState}


def tables_of(connection: Connection, hashes: Sequence[str]) -> dict[str, list[str]]:
    """For each of the source hashes the tables that its rows are in now."""
    found: dict[str, list[str]] = {}
    unique = sorted(set(hashes))
    for start in range(0, len(unique), 500):
        chunk = unique[start : start + 500]
        for source_hash, table in connection.execute(TABLES_OF_HASHES.where(materializations.c.source_hash.in_(chunk))):
            found.setdefault(source_hash, []).append(table)
    return found


def _shown_once(connection: Connection) -> list[ColumnElement[bool]]:
    """What leaves out locations of a source that lies within another one, where that one holds the same path."""
    known = connection.execute(PLACES_OF_SOURCES).all()
    conditions = []
    for narrow in known:
        for wide in known:
            folder = wide.root.rstrip(b"/") + b"/"
            is_within = narrow.root.startswith(folder) or (narrow.root == wide.root and narrow.only)
            if wide.only or not is_within:
                continue
            inside = narrow.root[len(folder) :]
            path = literal(inside + b"/" if inside else b"", LargeBinary).concat(locations.c.rel_path)
            same = exists(
                select(literal(1)).where(_same.c.source_id == wide.id, _same.c.rel_path == cast(path, LargeBinary))
            ).correlate(locations)
            conditions.append(or_(locations.c.source_id != narrow.id, ~same))
    return conditions


def _conditions(where: FileFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if where.source is not None:
        conditions.append(
            or_(
                sources.c.display == where.source,
                cast(sources.c.id, sources.c.display.type) == where.source,
                noted(Note.SOURCE_NAME, sources.c.id) == where.source,
            )
        )
    tagged = select(tags.c.location_id)
    if where.tag is not None:
        conditions.append(locations.c.id.in_(tagged.where(tags.c.tag == where.tag)))
    if where.untagged:
        conditions.append(locations.c.id.not_in(tagged))
    if where.states:
        conditions.append(STATE.in_([state.value for state in where.states]))
    if where.extension is not None:
        ending = "." + where.extension.lstrip(".").lower()
        conditions.append(func.lower(locations.c.display).endswith(ending, autoescape=True))
    if where.since_ns is not None:
        conditions.append(locations.c.mtime_ns >= where.since_ns)
    return conditions
