"""How what `operations.source.rules` names is done."""

from __future__ import annotations

import os

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.core.files import display_path
from casparian_flow.core.sizes import parse_range
from casparian_flow.core.tags import TagRule
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.source.tags import checked_tag
from casparian_flow.operations.source.rules import (
    AddRule,
    ListRules,
    RemoveRule,
    RuleDetail,
    RuleEntry,
    RuleList,
    RuleRemoved,
    ShowRule,
)
from casparian_flow.operations.writing import Writing
from casparian_flow.store import tags as stored

MAX_PATTERN = 1000


def list_(reading: Reading, _request: ListRules) -> RuleList:
    """Every rule."""
    return RuleList(rules=_entries(reading.connection))


def show(reading: Reading, request: ShowRule) -> RuleDetail:
    """One rule; raises NotFound."""
    entry = _one(reading.connection, request.rule)
    return RuleDetail(rule=entry, sample=stored.sample_of_rule(reading.connection, request.rule))


def add(acting: Writing, request: AddRule) -> RuleDetail:
    """Keep a rule and tag the files known now; later scans use it too."""
    tag = checked_tag(request.tag)
    size = None if request.size is None else parse_range(request.size)
    pattern = display_path(os.fsencode(request.pattern))
    if not 0 < len(pattern) <= MAX_PATTERN:
        raise UsageError(f"a pattern has 1 to {MAX_PATTERN} characters")
    with acting.database.transaction() as connection:
        if (found := stored.find_rule(connection, pattern, tag)) is not None:
            raise UsageError("there is such a rule already", fix=f"casparian rules show {found}")
        rule = TagRule(
            stored.add_rule(
                connection,
                pattern=pattern,
                tag=tag,
                priority=request.priority,
                parser=request.parser,
                topic=request.topic,
                size=size,
                now_ns=acting.clock(),
            ),
            pattern,
            tag,
            size=size,
        )
        _apply(connection, [rule])
        return RuleDetail(rule=_one(connection, rule.id), sample=stored.sample_of_rule(connection, rule.id))


def remove(acting: Writing, request: RemoveRule) -> RuleRemoved:
    """Forget a rule and the tags that it alone gave; raises NotFound."""
    with acting.database.transaction() as connection:
        entry = _one(connection, request.rule)
        stored.remove_rule(connection, request.rule)
        _apply(connection, stored.rules_with_tag(connection, entry.tag))
    return RuleRemoved(rule=request.rule, files=entry.files)


def _apply(connection: Connection, rules: list[TagRule]) -> None:
    """Tag every known file that a rule matches; earlier rules first."""
    if not rules:
        return
    known = list(stored.taggable(connection))
    for rule in rules:
        chosen = [location for location, path, size in known if rule.fits(path, size)]
        stored.give_by_rule(connection, rule, chosen)


def _entries(connection: Connection) -> list[RuleEntry]:
    return [
        RuleEntry(
            id=row["id"],
            pattern=row["pattern"],
            tag=row["tag"],
            priority=row["priority"],
            parser=row["parser"],
            topic=row["topic"],
            size=row["size_text"],
            files=row["files"],
            added=rfc3339(row["added_at_ns"]),
        )
        for row in stored.list_rules(connection)
    ]


def _one(connection: Connection, rule: int) -> RuleEntry:
    for entry in _entries(connection):
        if entry.id == rule:
            return entry
    raise NotFound(f"there is no rule {rule}", fix="casparian rules list")
