from __future__ import annotations

from pathlib import Path

from casparian_flow.scout.rules import apply_changed_rules
from casparian_flow.store.database import Database
from casparian_flow.store.tags import add_rule, add_tag, remove_rule, tags_of_sources
from scout_builders import Scouted


def tags(scouted: Scouted) -> set[tuple[str, bool]]:
    rows = list(tags_of_sources(scouted.database.connection, [scouted.source.id]))
    scouted.database.connection.rollback()
    return {(tag, rule is None) for _, tag, rule in rows}


def test_changed_rules_are_applied_again_and_a_persons_tags_stay(database: Database, evidence: Path) -> None:
    (evidence / "f.csv").write_bytes(b"x")
    scouted = Scouted(database, evidence)
    with database.transaction() as connection:
        rule = add_rule(connection, pattern="*.csv", tag="sales", priority=50, parser=None, topic=None, now_ns=1)
    scouted.scan_and_tag()
    assert tags(scouted) == {("sales", False)}
    location = scouted.files()[b"f.csv"].location_id
    with database.transaction() as connection:
        add_tag(connection, location, "mine")
        remove_rule(connection, rule)
        add_rule(connection, pattern="f.*", tag="f", priority=50, parser=None, topic=None, now_ns=1)
        add_rule(connection, pattern="*.csv", tag="mine", priority=50, parser=None, topic=None, now_ns=1)
    assert apply_changed_rules(database)
    assert tags(scouted) == {("f", False), ("mine", True)}
    assert not apply_changed_rules(database)
