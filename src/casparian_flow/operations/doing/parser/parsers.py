"""How what `operations.parser.parsers` names is done."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import RowMapping

from casparian_flow.core.text import safe_text
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.parser.parsers import (
    CheckParser,
    FindingView,
    ListParsers,
    ParserCheck,
    ParserEntry,
    ParserList,
)
from casparian_flow.publish.check import check_parser
from casparian_flow.publish.discover import FoundParser, parser_path, plugin_parsers, shipped_parsers
from casparian_flow.store.views import parsers as view

BROKEN = "broken"
"""The status of what lies among the plugins and cannot be used."""


def list_(reading: Reading, request: ListParsers) -> ParserList:
    """The parsers that this home has seen, and those that a run would find now."""
    seen = [_entry(row) for row in view.list_parsers(reading.connection)]
    known = {(entry.name, entry.artifact_hash, entry.env_hash) for entry in seen}
    found = [*shipped_parsers(), *plugin_parsers(reading.home.plugins)]
    unseen = [entry for entry in _found(found) if (entry.name, entry.artifact_hash, entry.env_hash) not in known]
    # What is on disk now is newer than what was registered; sorting keeps that order within a name.
    entries = sorted([*unseen, *seen], key=lambda entry: entry.name)
    newest = {entry.name: entry for entry in reversed(entries)}
    return ParserList(parsers=entries if request.versions else list(reversed(newest.values())))


def _entry(row: RowMapping) -> ParserEntry:
    return ParserEntry(
        name=row["name"],
        version=row["version"],
        status=row["status"],
        origin=row["origin"],
        artifact_hash=row["artifact_hash"],
        env_hash=row["env_hash"],
        path=row["path"],
        jobs=row["jobs"],
        registered=rfc3339(row["registered_at_ns"]),
        failures=row["failures"],
        paused=None if row["paused_at_ns"] is None else rfc3339(row["paused_at_ns"]),
    )


def check(reading: Reading, request: CheckParser) -> ParserCheck:
    """The report on a parser's source, whatever is wrong with it; raises NotFound where there is nothing."""
    report = check_parser(parser_path(request.parser, reading.home.plugins, reading.cwd))
    manifest = report.manifest
    return ParserCheck(
        path=str(report.path),
        name=manifest.name if manifest else None,
        version=manifest.version if manifest else None,
        entry=str(manifest.entry) if manifest else None,
        content=list(manifest.content) if manifest else [],
        outputs=sorted(manifest.outputs) if manifest else [],
        requires=list(manifest.requires) if manifest else [],
        imports=list(report.imports),
        foreign_imports=list(report.foreign_imports),
        findings=[
            FindingView(grade=each.grade, file=each.file, line=each.line, text=each.text) for each in report.findings
        ],
        is_refused=report.is_refused,
        error=f"{report.error.message}: {report.error.why}".rstrip(": ") if report.error else None,
        notice=report.notice,
    )


def _found(parsers: list[FoundParser]) -> Iterator[ParserEntry]:
    for each in parsers:
        artifact = each.artifact
        if artifact is not None:
            yield ParserEntry(
                name=artifact.name,
                version=artifact.version,
                status=artifact.status,
                origin=artifact.origin,
                artifact_hash=artifact.artifact_hash,
                env_hash=artifact.env_hash,
                path=artifact.path,
                jobs=0,
                registered=None,
            )
        else:
            yield ParserEntry(
                name=safe_text(each.path.stem),
                version="",
                status=BROKEN,
                origin=each.origin,
                artifact_hash="",
                env_hash="",
                path=str(each.path),
                jobs=0,
                registered=None,
                error=str(each.error),
            )
