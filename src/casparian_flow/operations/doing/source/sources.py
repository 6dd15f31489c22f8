"""How what `operations.source.sources` names is done."""

from __future__ import annotations

import re

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import UsageError
from casparian_flow.core.times import rfc3339
from casparian_flow.core.tombstones import WhenMissing
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.source.lookup import one_source
from casparian_flow.operations.source.sources import (
    AddSource,
    IgnorePaths,
    ListSources,
    RemoveSource,
    SetSourcePolicy,
    ShowSource,
    SourceAdded,
    SourceDetail,
    SourceEntry,
    SourceList,
    SourceRemoved,
    SourceUsed,
    UseSource,
)
from casparian_flow.operations.writing import Writing
from casparian_flow.scout.sources import find_or_add_source, set_ignore_rules
from casparian_flow.store import sources as stored
from casparian_flow.store.emptied import disks_away, say_emptied
from casparian_flow.store.views import sources as view
from casparian_flow.store.views.files import count_by_state

NO_FOLDERS = "*/"
"""The ignore rule of a source that is not walked into its folders."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def list_(reading: Reading, _request: ListSources) -> SourceList:
    """Every source."""
    return SourceList(sources=[_entry(row) for row in view.list_sources(reading.connection)])


def add(acting: Writing, request: AddSource) -> SourceAdded:
    """Remember a folder or file, to be scanned later; one that is known takes the name that is given."""
    with acting.database.transaction() as connection:
        source, warnings = find_or_add_source(connection, acting.cwd / request.path, acting.clock())
        if request.name is not None:
            stored.name_source(connection, source.id, _checked_name(connection, request.name, source.id))
        rules = [rule for rule in source.ignore.splitlines() if rule != NO_FOLDERS]
        if not request.recursive:
            rules.append(NO_FOLDERS)
        set_ignore_rules(connection, source.id, "\n".join(rules))
        return SourceAdded(source=_one(connection, source.id), warnings=warnings)


def show(reading: Reading, request: ShowSource) -> SourceDetail:
    """One source; raises NotFound."""
    row = one_source(reading.connection, reading.cwd, request.source)
    return SourceDetail(
        source=_entry(row),
        files={state.value: count for state, count in count_by_state(reading.connection, row["id"]).items()},
        tables=view.tables_of_source(reading.connection, row["id"]),
    )


def remove(acting: Writing, request: RemoveSource) -> SourceRemoved:
    """Scan a source no longer; its rows and their lineage stay. Adding its path again takes it back."""
    now_ns = acting.clock()
    with acting.database.transaction() as connection:
        row = one_source(connection, acting.cwd, request.source)
        tables = view.tables_of_source(connection, row["id"])
        why = f"its source was removed on {rfc3339(now_ns)[:10]}; its rows are kept"
        files = stored.remove_source(connection, row["id"], why, now_ns)
    return SourceRemoved(root=row["root"], files=files, tables=tables)


def use(acting: Writing, request: UseSource) -> SourceUsed:
    """Choose what scan, plan and run are about when no path is given; raises NotFound."""
    with acting.database.transaction() as connection:
        chosen = None if request.source is None else one_source(connection, acting.cwd, request.source)["id"]
        stored.use_source(connection, chosen)
        return SourceUsed(source=None if chosen is None else _one(connection, chosen))


def ignore(acting: Writing, request: IgnorePaths) -> SourceEntry:
    """Change what the next scan leaves out; raises NotFound, or UsageError for what is not a rule."""
    with acting.database.transaction() as connection:
        row = one_source(connection, acting.cwd, request.source)
        before = [] if request.replaces else row["ignore"].splitlines()
        rules = list(dict.fromkeys([*before, *request.patterns]))
        set_ignore_rules(connection, row["id"], "\n".join(rules))
        return _one(connection, row["id"])


def policy(acting: Writing, request: SetSourcePolicy) -> SourceEntry:
    """Choose what the end of a run does with the rows of files that are gone by then; raises NotFound.

    A source that looks emptied is let alone until the request says that it is meant.
    """
    with acting.database.transaction() as connection:
        row = one_source(connection, acting.cwd, request.source)
        keeps = request.when_missing is WhenMissing.KEEP
        if request.even_if_empty and keeps and not disks_away(connection, row["id"]):
            raise UsageError("an emptied source that keeps its rows has nothing to allow", fix="casparian source list")
        stored.set_when_missing(connection, row["id"], request.when_missing)
        say_emptied(connection, row["id"], is_meant=request.even_if_empty)
        return _one(connection, row["id"])


def _checked_name(connection: Connection, name: str, source: int) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a source's name", why="a letter, then up to 63 letters, digits, _ . -")
    if any(row["name"] == name and row["id"] != source for row in view.list_sources(connection)):
        raise UsageError(f"another source is named {name}", fix="casparian source list")
    return name


def _one(connection: Connection, source: int) -> SourceEntry:
    return next(_entry(row) for row in view.list_sources(connection) if row["id"] == source)


def _entry(row: RowMapping) -> SourceEntry:
    return SourceEntry(
        id=row["id"],
        name=row["name"],
        root=row["root"],
        entries=row["entries"],
        scanned=None if row["scanned_at_ns"] is None else rfc3339(row["scanned_at_ns"]),
        ignore=row["ignore"].splitlines(),
        is_in_use=bool(row["is_in_use"]),
        when_missing=WhenMissing(row["when_missing"]),
    )
