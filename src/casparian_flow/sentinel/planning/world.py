"""Gathers what the planner decides by: files, history, contracts and tag rules, from the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import BUILT_IN, Modes
from casparian_flow.core.files import EntryKind, display_path
from casparian_flow.core.proposals import Kind, label
from casparian_flow.core.routes import Routes
from casparian_flow.core.times import rfc3339
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.scout.entries import name_problem_of
from casparian_flow.sentinel.commit.landed import EVERY_OTHER, Done
from casparian_flow.sentinel.planning.held_files import Bounds, lifted
from casparian_flow.sentinel.planning.planner import Ended, Open, PlannedFile, Undone, World
from casparian_flow.sentinel.planning.routing import Candidate, Routing
from casparian_flow.store import contracts as contract_store
from casparian_flow.store import files as file_store
from casparian_flow.store import parsers as parser_store
from casparian_flow.store import plans as plan_store
from casparian_flow.store import repairs as repair_store
from casparian_flow.store import replays as replay_store
from casparian_flow.store import reversals as reversal_store
from casparian_flow.store import standing as standing_store
from casparian_flow.store import tags as tag_store
from casparian_flow.store.emptied import WHOLE
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.tombstones import erased_bytes, trimmed_bytes
from casparian_flow.store.views import carriers

A_DATABASE = "a database beside it"
"""What a companion is part of, where the plan is not about that file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which files a plan is about: those of these sources, with this tag, modified since then.

    With `locations` only these are planned; nothing is decided anew about the others.
    """

    sources: Sequence[int]
    locations: Collection[int] | None = None
    tag: str | None = None
    since_ns: int | None = None


def gather_files(connection: Connection, selection: Selection) -> list[PlannedFile]:
    """Every location of the sources; those outside the selection are marked so."""
    tags: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for location, tag, _rule in tag_store.tags_of_sources(connection, selection.sources):
        tags[location] += (tag,)
    rows = list(file_store.current_files(connection, selection.sources, selection.locations))
    display_of = {row.location_id: row.display for row in rows}
    gone = {row.source_hash for row in rows if row.is_retired and row.source_hash is not None}
    keepers = _keepers(connection, gone, selection.sources)
    return [
        PlannedFile(
            location=row.location_id,
            display=row.display if row.rel_path != WHOLE else display_path(row.root),
            kind=row.kind,
            problem=_obstacle(row),
            size=row.size,
            mtime_ns=row.mtime_ns,
            is_missing=row.is_missing,
            is_retired=bool(row.is_retired),
            kept_by=keepers.get(row.source_hash or "", ""),
            part_of=display_of.get(row.part_of, A_DATABASE) if row.part_of is not None else None,
            version=row.version_id,
            source_hash=row.source_hash,
            content=row.content,
            content_reason=row.content_reason,
            tags=tags.get(row.location_id, ()),
            is_growing=row.is_dirty and row.settles_at_ns is not None,
            is_selected=_is_selected(row, selection, tags.get(row.location_id, ())),
        )
        for row in rows
    ]


def _keepers(connection: Connection, hashes: Collection[str], looked_at: Collection[int]) -> dict[str, str]:
    """Of the bytes of files whose rows should go out with them, why they stay; these sources were looked at now."""
    if not hashes:
        return {}
    found = dict.fromkeys(carriers.pinned(connection, hashes), "a revert brought them back")
    rows = carriers.carriers_of(connection, hashes)
    for row in sorted(rows, key=lambda row: row.source in looked_at):  # what is said last is known best
        found[row.source_hash] = _kept_by(row, is_looked_at=row.source in looked_at)
    return found


def _kept_by(row: AnyRow, *, is_looked_at: bool) -> str:
    """In which way one of `carriers_of` keeps rows."""
    path = row.root if row.is_one_file else f"{row.root}/{row.path}"
    if not row.is_missing and is_looked_at:
        return f"{path} holds the same bytes"
    held = f"{path} of source {row.source} held the same bytes"
    if not row.is_missing:
        return f"{held} when that was looked at last: casparian run"
    if row.is_removed:
        return f"{held}, and the source was removed, which keeps rows"
    empty = " --even-if-empty" if row.is_one_file else ""
    command = f"casparian source policy {row.source} {WhenMissing.RETIRE}{empty}"
    return f"{held} and is gone, too, and its policy is {row.when_missing}: {command}"


def _obstacle(row: file_store.FileRow) -> str | None:
    """Why the entry cannot be read; a remark on a file's name does not keep it from being read."""
    if row.problem is None or (row.kind == EntryKind.FILE and row.problem == name_problem_of(row.rel_path)):
        return None
    return row.problem


def gather_world(
    connection: Connection,
    *,
    parsers: Mapping[str, Candidate],
    explicit: str | None,
    routes: Routes,
    options: Mapping[str, str],
    table: str | None,
    force: bool,
    modes: Modes = BUILT_IN,
    bounds: Bounds | None = None,
) -> World:
    """What was done, what failed, what is in force; `modes` are those of the settings.

    Without `bounds` what was held stays so.
    """
    contracts = contract_store.in_force(connection)
    done: dict[str, list[Done]] = defaultdict(list)
    for row in plan_store.done(connection):
        done[row.source_hash].append(
            Done(
                source_hash=row.source_hash,
                parser=row.parser_name,
                artifact_hash=row.artifact_hash,
                env_hash=row.env_hash,
                config_hash=row.config_hash,
                sink_uri=row.sink_uri,
                sink_mode=row.sink_mode,
                table=row.table_name,
                contract_hash=row.contract_hash,
                is_current=row.is_current,
                job=row.job_id,
                version=row.version_id,
                modes=row.modes,
                repairs=row.repairs,
                proof=row.proof or "",
            )
        )
    ended: dict[str, list[Ended]] = defaultdict(list)
    for row in plan_store.unfinished(connection):
        ended[row.source_hash].append(
            Ended(
                job=row.id,
                source_hash=row.source_hash,
                parser=row.parser_name,
                artifact_hash=row.artifact_hash,
                env_hash=row.env_hash,
                config_hash=row.config_hash,
                state=row.state,
                code=row.error_code or "",
                message=row.error_message or "",
            )
        )
    return World(
        routing=Routing(parsers=parsers, rules=tag_store.all_rules(connection), explicit=explicit),
        done=done,
        ended=ended,
        earlier=plan_store.earlier_hashes(connection),
        contracts={table: contract.hash for table, contract in contracts.items()},
        modes=_effective(contracts.values(), modes),
        awaiting=frozenset(contract_store.proposed(connection)),
        routes=routes,
        options=options,
        table=table,
        force=force,
        undone=_undone(connection),
        erased={one: label(Kind.PURGE, purge) for one, purge in erased_bytes(connection).items()},
        trimmed={one: label(Kind.PURGE, purge) for one, purge in trimmed_bytes(connection).items()},
        open=_open(connection),
        lifted={} if bounds is None else lifted(connection, contracts, bounds),
        paused=parser_store.paused(connection),
        standing=standing_store.standing(connection),
        repairs=repair_store.digests(connection),
        reopened=replay_store.reopened(connection),
        replaying=replay_store.being_read(connection),
    )


def _effective(contracts: Iterable[Contract], modes: Modes) -> dict[str, str]:
    own = {each.table: modes.with_overrides(each.drift).digest for each in contracts if each.drift}
    return {EVERY_OTHER: modes.digest, **own}


def _open(connection: Connection) -> dict[str, list[Open]]:
    found: dict[str, list[Open]] = defaultdict(list)
    for row in plan_store.open_jobs(connection):
        found[row.source_hash].append(
            Open(
                job=row.id,
                parser=row.parser_name,
                artifact_hash=row.artifact_hash,
                env_hash=row.env_hash,
                config_hash=row.config_hash,
                routes=row.routes,
            )
        )
    return found


def _undone(connection: Connection) -> dict[str, list[Undone]]:
    found: dict[str, list[Undone]] = defaultdict(list)
    for row in reversal_store.held(connection):
        found[row.source_hash].append(
            Undone(
                parser=row.parser_name,
                sink_uri=row.sink_uri,
                table=row.table_name,
                actor=row.actor or "",
                at=rfc3339(row.permitted_at_ns)[:10],
            )
        )
    return found


def _is_selected(row: file_store.FileRow, selection: Selection, tags: Sequence[str]) -> bool:
    if selection.tag is not None and selection.tag not in tags:
        return False
    return selection.since_ns is None or row.mtime_ns >= selection.since_ns
