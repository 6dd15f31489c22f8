"""How what `operations.parser.pause` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import NotFound
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.operations.doing.parser.parsers import list_
from casparian_flow.operations.parser.parsers import ListParsers, ParserEntry
from casparian_flow.operations.parser.pause import ParserDetail, ParserFailure, ParserResumed, ResumeParser, ShowParser
from casparian_flow.publish.discover import plugin_parsers, shipped_parsers
from casparian_flow.sentinel.planning.planner import REPEATABLE
from casparian_flow.store import parsers as stored
from casparian_flow.store.views import parsers as view

SHOWN = 5
"""Failures that are shown: as many as pause a parser."""


def show(reading: Reading, request: ShowParser) -> ParserDetail:
    """One parser; raises NotFound."""
    entry = _entry(reading, request.parser)
    found = [*shipped_parsers(), *plugin_parsers(reading.home.plugins)]
    manifest = next((each.manifest for each in found if each.manifest and each.manifest.name == entry.name), None)
    return ParserDetail(
        parser=entry,
        content=list(manifest.content) if manifest else [],
        subscriptions=list(manifest.subscriptions) if manifest else [],
        priority=manifest.priority if manifest else 0,
        failed=[
            ParserFailure(
                job=str(row["id"]),
                path=row["path"],
                error=row["error_code"],
                message=row["error_message"] or "",
                finished=None if row["finished_at_ns"] is None else rfc3339(row["finished_at_ns"]),
            )
            for row in view.failed_in(reading.connection, entry.name, sorted(REPEATABLE), SHOWN)
        ],
    )


def _entry(reading: Reading, name: str) -> ParserEntry:
    for entry in list_(reading, ListParsers()).parsers:
        if entry.name == name:
            return entry
    raise NotFound(f"there is no parser {name}", fix="casparian parser list")


def resume(acting: Acting, request: ResumeParser) -> ParserResumed:
    """Let every version of a parser run again; raises NotFound for one that this home has never seen."""
    with acting.database.transaction() as connection:
        if all(row["name"] != request.parser for row in view.list_parsers(connection)):
            raise NotFound(f"no parser {request.parser} has run here", fix="casparian parser list")
        refused = view.count_refused(connection, request.parser)
        versions = stored.resume(connection, request.parser)
    return ParserResumed(parser=request.parser, versions=versions, refused=refused)
