"""How what `operations.source.scan` names is done."""

from __future__ import annotations

import os

from sqlalchemy import RowMapping

from casparian_flow.core.files import EntryKind, display_path
from casparian_flow.core.sizes import LARGEST, parse_size
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.run.next_run import next_run
from casparian_flow.operations.doing.source.selection import Discovered, Looking, discover
from casparian_flow.operations.doing.source.tags import checked_tag
from casparian_flow.operations.file.entry_kinds import KINDS
from casparian_flow.operations.source.scan import ScanFiles, ScanProblem, ScanReply
from casparian_flow.scout.chosen import Chosen
from casparian_flow.scout.entries import name_problem_of
from casparian_flow.store.views import sources as view


def scan(acting: Acting, request: ScanFiles) -> ScanReply:
    """Find and hash; one entry that cannot be read keeps no other from being read."""
    return scan_reply(acting, discover(acting, request.paths, sources=request.sources, looking=looking_of(request)))


def scan_reply(acting: Acting, found: Discovered) -> ScanReply:
    """What is there now, and what the scan changed."""
    sources = found.selection.sources
    with acting.database.transaction() as connection:
        content = view.count_content(connection, sources)
        problems = [_problem(row) for row in view.odd_entries(connection, sources)]
        command = next_run(connection, acting)
    return ScanReply(
        entries=sum(each.entries for each in found.scans),
        new=sum(each.new for each in found.scans),
        changed=sum(each.changed for each in found.scans),
        missing=sum(each.missing for each in found.scans),
        returned=sum(each.returned for each in found.scans),
        renamed=sum(each.renamed for each in found.scans),
        files_read=sum(each.read for each in found.tagged),
        bytes_read=sum(each.bytes_read for each in found.tagged),
        new_versions=sum(each.new_versions for each in found.tagged),
        still_changing=[path for each in found.tagged for path in each.changing],
        unreadable=sum(problem.keeps_from_reading for problem in problems),
        content=content,
        problems=problems,
        warnings=list(found.warnings),
        next=command,
    )


def looking_of(request: ScanFiles) -> Looking:
    """How the sources are looked at."""
    return Looking(
        chosen=Chosen(
            patterns=tuple(display_path(os.fsencode(pattern)) for pattern in request.patterns),
            extensions=request.extensions,
            least=0 if request.min_size is None else parse_size(request.min_size),
            most=LARGEST if request.max_size is None else parse_size(request.max_size),
            depth=request.depth,
        ),
        mode=request.hash_mode,
        threads=request.threads,
        with_sha256=request.with_sha256,
        tag=None if request.tag is None else checked_tag(request.tag),
    )


def _problem(row: RowMapping) -> ScanProblem:
    is_remark = row["kind"] == EntryKind.FILE and row["problem"] == name_problem_of(row["rel_path"])
    return ScanProblem(
        path=f"{row['source']}/{row['path']}",
        kind=row["kind"],
        reason=row["problem"] or KINDS[row["kind"]],
        keeps_from_reading=row["kind"] in (EntryKind.FILE, EntryKind.UNREADABLE) and not is_remark,
    )
