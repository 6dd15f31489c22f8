from __future__ import annotations

from pathlib import Path

from casparian_flow.core.tags import TagRule
from casparian_flow.scout.rules import apply_changed_rules, route
from casparian_flow.store.database import Database
from casparian_flow.store.tags import add_rule, delete_rule, give_tag, tags_of_sources
from scout_builders import Scouted


def tags(scouted: Scouted) -> set[tuple[str, bool]]:
    rows = list(tags_of_sources(scouted.database.connection, [scouted.source.id]))
    scouted.database.connection.rollback()
    return {(tag, rule is None) for _, tag, rule in rows}


def test_every_rule_tried_is_told_and_the_highest_wins() -> None:
    low, high = TagRule(1, "*.csv", "a", 10, "x"), TagRule(2, "**/d/*.csv", "b", 90, "y")
    other = TagRule(3, "*.log", "c", 99, "z")
    found = route("d/f.csv", [low, high, other])
    assert found.winner == high
    assert found.tried == ((other, False), (high, True), (low, True))


def test_equal_priority_with_different_parsers_chooses_nothing() -> None:
    first, second = TagRule(1, "*.csv", "a", 50, "x"), TagRule(2, "f.*", "b", 50, "y")
    found = route("f.csv", [first, second])
    assert found.winner is None
    assert found.tied == (first, second)


def test_a_rule_without_a_parser_does_not_hide_one_that_has_one() -> None:
    labels, chooses = TagRule(1, "*", "a", 90), TagRule(2, "*.csv", "b", 10, "x")
    assert route("f.csv", [labels, chooses]).winner == chooses


def test_changed_rules_are_applied_again_and_a_persons_tags_stay(database: Database, evidence: Path) -> None:
    (evidence / "f.csv").write_bytes(b"x")
    scouted = Scouted(database, evidence)
    with database.transaction() as connection:
        rule = add_rule(connection, TagRule(0, "*.csv", "sales"), 1)
    scouted.scan_and_tag()
    assert tags(scouted) == {("sales", False)}
    location = scouted.files()[b"f.csv"].location_id
    with database.transaction() as connection:
        give_tag(connection, location, "mine")
        delete_rule(connection, rule.id)
        add_rule(connection, TagRule(0, "f.*", "f"), 1)
        add_rule(connection, TagRule(0, "*.csv", "mine"), 1)
    assert apply_changed_rules(database)
    assert tags(scouted) == {("f", False), ("mine", True)}
    assert not apply_changed_rules(database)
