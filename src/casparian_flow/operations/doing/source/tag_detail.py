"""How what `operations.source.tag_detail` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import NotFound
from casparian_flow.operations.context import Reading
from casparian_flow.operations.source.tag_detail import ShowTag, TagDetail, TagGiver
from casparian_flow.operations.source.tags import TagEntry
from casparian_flow.publish.discover import plugin_parsers, shipped_parsers
from casparian_flow.store import tags as stored


def show(reading: Reading, request: ShowTag) -> TagDetail:
    """One tag; raises NotFound for one that no file has and no rule gives."""
    tag = next((row for row in stored.list_tags(reading.connection) if row["tag"] == request.tag), None)
    rules = [row for row in stored.list_rules(reading.connection) if row["tag"] == request.tag]
    if tag is None and not rules:
        raise NotFound(f"there is no tag {request.tag!r}", fix="casparian tags list")
    found = [*plugin_parsers(reading.home.plugins), *shipped_parsers()]
    return TagDetail(
        tag=TagEntry(**tag) if tag else TagEntry(tag=request.tag, files=0, by_hand=0, size=0),
        rules=[
            TagGiver(rule=row["id"], pattern=row["pattern"], size=row["size_text"], files=row["files"]) for row in rules
        ],
        parsers=[each.manifest.name for each in found if each.manifest and request.tag in each.manifest.subscriptions],
        sample=stored.sample_of_tag(reading.connection, request.tag),
    )
