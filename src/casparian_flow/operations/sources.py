"""Sources: the folders and files that are scanned, and what is left out of them."""

from __future__ import annotations

import os

from sqlalchemy import RowMapping

from casparian_flow.core.errors import NotFound
from casparian_flow.core.files import display_path
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.writing import Writing
from casparian_flow.scout.sources import set_ignore_rules
from casparian_flow.store.views import sources as view


class ListSources(Request, frozen=True, kw_only=True):
    """Every source."""


class SourceEntry(Reply, frozen=True, kw_only=True):
    """One source; `ignore` are its own rules, beside those of a `.casparianignore` at its root."""

    id: int
    root: str
    entries: int
    scanned: str | None
    ignore: list[str]


class SourceList(Reply, frozen=True, kw_only=True):
    """All sources, oldest first."""

    sources: list[SourceEntry]


class IgnorePaths(Request, frozen=True, kw_only=True):
    """A source by number or path, and rules in the syntax of .gitignore to add; with `replaces`, instead of its own."""

    source: str
    patterns: tuple[str, ...]
    replaces: bool = False


def list_(reading: Reading, _request: ListSources) -> SourceList:
    """Every source."""
    return SourceList(sources=[_entry(row) for row in view.list_sources(reading.connection)])


def ignore(acting: Writing, request: IgnorePaths) -> SourceEntry:
    """Change what the next scan leaves out; raises NotFound, or UsageError for what is not a rule."""
    path = display_path(os.fsencode((acting.cwd / request.source).resolve()))
    with acting.database.transaction() as connection:
        known = view.list_sources(connection)
        row = next((row for row in known if request.source == str(row["id"]) or path == row["root"]), None)
        if row is None:
            raise NotFound(f"there is no source {request.source}", fix="casparian source list")
        before = [] if request.replaces else row["ignore"].splitlines()
        rules = list(dict.fromkeys([*before, *request.patterns]))
        set_ignore_rules(connection, row["id"], "\n".join(rules))
        return _entry({**row, "ignore": "\n".join(rules)})


def _entry(row: RowMapping | dict[str, object]) -> SourceEntry:
    scanned, rules = row["scanned_at_ns"], str(row["ignore"])
    return SourceEntry(
        id=int(str(row["id"])),
        root=str(row["root"]),
        entries=int(str(row["entries"])),
        scanned=rfc3339(int(str(scanned))) if scanned is not None else None,
        ignore=rules.splitlines(),
    )


OPERATIONS = (
    Operation("source.list", ListSources, SourceList, Effect.READ, list_, "Every source and what it leaves out."),
    Operation("source.ignore", IgnorePaths, SourceEntry, Effect.EXECUTE, ignore, "Leave paths out of a source."),
)
