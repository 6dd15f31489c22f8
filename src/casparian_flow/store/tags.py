"""Tag rules, and the tags of locations."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, Integer, bindparam, delete, literal_column, select
from sqlalchemy.dialects.sqlite import insert

from casparian_flow.core.errors import NotFound
from casparian_flow.core.tags import TagRule
from casparian_flow.store.bulk import bulk
from casparian_flow.store.tables import locations, meta, rules, tags

ALL_RULES = select(rules.c.id, rules.c.pattern, rules.c.tag, rules.c.priority, rules.c.parser, rules.c.topic).order_by(
    rules.c.priority.desc(), rules.c.id
)
_added = insert(rules)
ADD_RULE = _added.on_conflict_do_update(
    index_elements=["pattern", "tag"],
    set_={name: _added.excluded[name] for name in ("priority", "parser", "topic")},
).returning(rules.c.id)
DELETE_RULE = delete(rules).where(rules.c.id == bindparam("rule"))
DELETE_TAGS_OF_RULE = delete(tags).where(tags.c.rule_id == bindparam("rule"))
_given = insert(tags)
GIVE_TAG = _given.on_conflict_do_update(index_elements=["location_id", "tag"], set_={"rule_id": None})
TAKE_TAG = delete(tags).where(
    tags.c.location_id == bindparam("location"), tags.c.tag == bindparam("name"), tags.c.rule_id.is_(None)
)
TAGS_OF_SOURCES = (
    select(tags.c.location_id, tags.c.tag, tags.c.rule_id)
    .join(locations, locations.c.id == tags.c.location_id)
    .where(locations.c.source_id.in_(bindparam("sources", expanding=True)))
    .order_by(tags.c.location_id, tags.c.tag)
)
META_VALUE = select(meta.c.value).where(meta.c.key == bindparam("name"))
_meta = insert(meta)
SET_META_VALUE = _meta.on_conflict_do_update(index_elements=["key"], set_={"value": _meta.excluded.value})

RULE_TAGS_OF = bulk(
    select(tags.c.tag, tags.c.rule_id).where(tags.c.location_id == bindparam("location"), tags.c.rule_id.is_not(None)),
    "location",
)
DROP_RULE_TAG = bulk(
    delete(tags).where(
        tags.c.location_id == bindparam("location"), tags.c.tag == bindparam("name"), tags.c.rule_id.is_not(None)
    ),
    "location",
    "name",
)
_ruled = insert(tags).values(location_id=bindparam("location"), tag=bindparam("name"), rule_id=bindparam("rule"))
SET_RULE_TAG = bulk(
    _ruled.on_conflict_do_update(
        index_elements=["location_id", "tag"],
        set_={"rule_id": _ruled.excluded.rule_id},
        where=tags.c.rule_id.is_not(None) & tags.c.rule_id.is_distinct_from(_ruled.excluded.rule_id),
    ),
    "location",
    "name",
    "rule",
)
PATHS_AFTER = bulk(
    select(locations.c.id, locations.c.display)
    .where(locations.c.id > bindparam("after"), locations.c.kind == literal_column("'file'"))
    .order_by(locations.c.id)
    .limit(bindparam("page", type_=Integer)),
    "after",
    "page",
)


def all_rules(connection: Connection) -> list[TagRule]:
    """Every rule, in the order in which they are asked."""
    return [TagRule(*row) for row in connection.execute(ALL_RULES)]


def add_rule(connection: Connection, rule: TagRule, now_ns: int) -> TagRule:
    """Keep a rule; the one with the same pattern and tag takes its values. The id of the argument does not count."""
    values = {"pattern": rule.pattern, "tag": rule.tag, "priority": rule.priority, "parser": rule.parser}
    values |= {"topic": rule.topic, "added_at_ns": now_ns}
    stored = connection.execute(ADD_RULE, values).scalar_one()
    return TagRule(stored, rule.pattern, rule.tag, rule.priority, rule.parser, rule.topic)


def delete_rule(connection: Connection, rule: int) -> None:
    """Forget a rule and the tags it gave; raises NotFound."""
    connection.execute(DELETE_TAGS_OF_RULE, {"rule": rule})
    if connection.execute(DELETE_RULE, {"rule": rule}).rowcount == 0:
        raise NotFound(f"there is no tag rule {rule}")


def give_tag(connection: Connection, location: int, tag: str) -> None:
    """A person's tag, which no change of rules takes away."""
    connection.execute(GIVE_TAG, {"location_id": location, "tag": tag, "rule_id": None})


def take_tag(connection: Connection, location: int, tag: str) -> None:
    """Take back a person's tag; raises NotFound when no person gave it."""
    if connection.execute(TAKE_TAG, {"location": location, "name": tag}).rowcount == 0:
        raise NotFound(f"nobody gave the tag {tag}")


def tags_of_sources(connection: Connection, sources: Iterable[int]) -> Iterator[tuple[int, str, int | None]]:
    """Location, tag and rule (None: a person) of everything tagged in these sources."""
    for row in connection.execute(TAGS_OF_SOURCES, {"sources": list(sources)}):
        yield row[0], row[1], row[2]


def paths_after(driver: sqlite3.Connection, after: int, page: int) -> list[tuple[int, str]]:
    """The next page of file locations and their readable paths, by id."""
    return driver.execute(PATHS_AFTER, (after, page)).fetchall()


def replace_rule_tags(
    driver: sqlite3.Connection, locations: Iterable[int], rows: Sequence[tuple[int, str, int]]
) -> None:
    """Make (location, tag, rule) all that rules give to these locations; what is so already is not written."""
    wanted = {(location, tag) for location, tag, _ in rows}
    for location in locations:
        for tag, _ in driver.execute(RULE_TAGS_OF, (location,)).fetchall():
            if (location, tag) not in wanted:
                driver.execute(DROP_RULE_TAG, (location, tag))
    driver.executemany(SET_RULE_TAG, rows)


def meta_value(connection: Connection, key: str) -> str | None:
    """A fact that the home remembers about itself."""
    value = connection.execute(META_VALUE, {"name": key}).scalar_one_or_none()
    return str(value) if value is not None else None


def set_meta_value(connection: Connection, key: str, value: str) -> None:
    """Remember a fact about the home."""
    connection.execute(SET_META_VALUE, {"key": key, "value": value})
