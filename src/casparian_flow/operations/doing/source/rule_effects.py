"""How what `operations.source.rule_effects` names is done."""

from __future__ import annotations

import os

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound
from casparian_flow.core.files import display_path
from casparian_flow.core.sizes import parse_size
from casparian_flow.core.tags import TagRule, explain_match
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.file.lookup import one_file
from casparian_flow.operations.source.rule_effects import ApplyRules, RulesApplied, RuleTested, TestRule
from casparian_flow.operations.writing import Writing
from casparian_flow.scout.rules import tags_of
from casparian_flow.store import tags as stored
from casparian_flow.store.database import Database

PAGE = 10_000
SHOWN = 10


def test(reading: Reading, request: TestRule) -> RuleTested:
    """Whether a rule or a glob fits a path, and why; raises NotFound for a rule that is not there."""
    rule, tag = _rule(reading.connection, request.rule)
    known = [path for _, path, size in stored.taggable(reading.connection) if rule.fits(path, size)]
    fits, why, others = None, list[str](), list[str]()
    if request.path is not None:
        path, size = _subject(reading, request.path)
        size = size if request.size is None else parse_size(request.size)
        fits, why = rule.fits(path, size), _why(rule, path, size)
        others = [
            f"rule {other.id}: {other.pattern} gives {other.tag}, priority {other.priority}"
            for other in stored.all_rules(reading.connection)
            if other.id != rule.id and other.fits(path, size)
        ]
    return RuleTested(
        pattern=rule.pattern, tag=tag, matches=fits, why=why, others=others, files=len(known), sample=known[:SHOWN]
    )


def _rule(connection: Connection, named: str) -> tuple[TagRule, str | None]:
    if not (named.isascii() and named.isdigit()):
        return TagRule(0, display_path(os.fsencode(named)), ""), None
    for rule in stored.all_rules(connection):
        if str(rule.id) == named:
            return rule, rule.tag
    raise NotFound(f"there is no rule {named}", fix="casparian rules list")


def _subject(reading: Reading, path: str) -> tuple[str, int | None]:
    """The path inside its source and the size of a known file; else the path as it was typed."""
    try:
        row = one_file(reading.connection, reading.cwd, path)
    except NotFound:
        return display_path(os.fsencode(path)).removeprefix("./"), None
    return str(row["path"]), int(row["size"])


def _why(rule: TagRule, path: str, size: int | None) -> list[str]:
    steps = [explain_match(rule.pattern, path)]
    if rule.size is not None and size is None:
        steps.append(f"the size is not known, and the rule asks for {rule.size.text}; give --size")
    elif rule.size is not None and size is not None:
        steps.append(f"the size {size} {'is' if rule.size.holds(size) else 'is not'} {rule.size.text}")
    return steps


def apply(acting: Writing, request: ApplyRules) -> RulesApplied:
    """Give every known file the tags that the rules give it now, and take those that they give no longer."""
    if request.dry_run:
        return _apply(acting.database, is_dry_run=True)
    with acting.database.transaction():
        return _apply(acting.database, is_dry_run=False)


def _apply(database: Database, *, is_dry_run: bool) -> RulesApplied:
    rules = stored.all_rules(database.connection)
    driver = database.driver
    after, files, given, taken = 0, 0, 0, 0
    sample: list[str] = []
    while page := stored.paths_after(driver, after, PAGE):
        first, after = page[0][0], page[-1][0]
        rows = [(location, *found) for location, path, size in page for found in tags_of(path, rules, size)]
        by_hand = stored.tags_by_hand(driver, first, after)
        wanted = {(location, tag) for location, tag, _ in rows} - by_hand
        before = stored.rule_tags(driver, first, after)
        files += len(page)
        given += len(wanted - before)
        taken += len(before - wanted)
        if len(sample) < SHOWN:
            sample += _changes({each[0]: each[1] for each in page}, wanted - before, before - wanted)
        if not is_dry_run:
            stored.replace_rule_tags(driver, [each[0] for each in page], rows)
    return RulesApplied(files=files, given=given, taken=taken, sample=sample[:SHOWN], is_dry_run=is_dry_run)


def _changes(paths: dict[int, str], given: set[tuple[int, str]], taken: set[tuple[int, str]]) -> list[str]:
    changes = [(location, "+" + tag) for location, tag in given] + [(location, "-" + tag) for location, tag in taken]
    return [f"{paths.get(location, '?')}: {change}" for location, change in sorted(changes)[:SHOWN]]
