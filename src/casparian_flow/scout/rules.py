"""Which rules give a path its tags, and which one chooses its parser."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.tags import TagRule, matches, rules_for
from casparian_flow.store import tags as stored
from casparian_flow.store.database import Database

APPLIED_KEY = "scout.rules_applied"
PAGE = 10_000


@dataclass(frozen=True, slots=True)
class Routing:
    """How a path meets the rules: each one tried with whether it matched, the winner, and who ties with it.

    `tied` is not empty when rules of the same highest priority name different parsers; then nothing is chosen.
    """

    tried: tuple[tuple[TagRule, bool], ...]
    winner: TagRule | None
    tied: tuple[TagRule, ...]


def route(path: str, rules: Iterable[TagRule]) -> Routing:
    """The matching rule of the highest priority that names a parser, else the highest that matches at all."""
    asked = sorted(rules, key=lambda rule: (-rule.priority, rule.id))
    tried = tuple((rule, matches(rule.pattern, path)) for rule in asked)
    matched = [rule for rule, is_match in tried if is_match]
    choosing = [rule for rule in matched if rule.parser is not None]
    if not choosing:
        return Routing(tried, matched[0] if matched else None, ())
    highest = [rule for rule in choosing if rule.priority == choosing[0].priority]
    if len({rule.parser for rule in highest}) > 1:
        return Routing(tried, None, tuple(highest))
    return Routing(tried, choosing[0], ())


def tags_of(path: str, rules: Iterable[TagRule]) -> list[tuple[str, int]]:
    """The tags that the rules give a path, each with the first rule that gives it."""
    given: dict[str, int] = {}
    for rule in rules_for(path, rules):
        given.setdefault(rule.tag, rule.id)
    return list(given.items())


def apply_changed_rules(database: Database) -> bool:
    """Give every location its tags again if the rules are others than the last time; whether they were.

    Tags that a person gave stay.
    """
    rules = stored.all_rules(database.connection)
    digest = digest_of_json([[rule.id, rule.pattern, rule.tag, rule.priority] for rule in rules])
    applied = stored.meta_value(database.connection, APPLIED_KEY)
    database.connection.rollback()
    if digest == applied:
        return False
    with database.transaction() as connection:
        after = 0
        while page := stored.paths_after(database.driver, after, PAGE):
            after = page[-1][0]
            rows = [(location, *given) for location, path in page for given in tags_of(path, rules)]
            stored.replace_rule_tags(database.driver, [location for location, _ in page], rows)
        stored.set_meta_value(connection, APPLIED_KEY, digest)
    return True
