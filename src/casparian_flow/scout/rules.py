"""Which rules give a path its tags."""

from __future__ import annotations

from collections.abc import Iterable

from casparian_flow.core.hashing import digest_of_json
from casparian_flow.core.tags import TagRule, rules_for
from casparian_flow.store import meta
from casparian_flow.store import tags as stored
from casparian_flow.store.database import Database

APPLIED_KEY = "scout.rules_applied"
PAGE = 10_000


def tags_of(path: str, rules: Iterable[TagRule], size: int | None = None) -> list[tuple[str, int]]:
    """The tags that the rules give a file, each with the first rule that gives it."""
    given: dict[str, int] = {}
    for rule in rules_for(path, rules, size):
        given.setdefault(rule.tag, rule.id)
    return list(given.items())


def apply_changed_rules(database: Database) -> bool:
    """Give every location its tags again if the rules are others than the last time; whether they were.

    Tags that a person gave stay.
    """
    rules = stored.all_rules(database.connection)
    digest = digest_of_json(
        [[rule.id, rule.pattern, rule.tag, rule.priority, rule.size.text if rule.size else ""] for rule in rules]
    )
    applied = meta.meta_value(database.connection, APPLIED_KEY)
    database.connection.rollback()
    if digest == applied:
        return False
    with database.transaction() as connection:
        after = 0
        while page := stored.paths_after(database.driver, after, PAGE):
            after = page[-1][0]
            rows = [(location, *given) for location, path, size in page for given in tags_of(path, rules, size)]
            stored.replace_rule_tags(database.driver, [location for location, _, _ in page], rows)
        meta.set_meta_value(connection, APPLIED_KEY, digest)
    return True
