"""Tags, given by a person or by rules, and the rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    RowMapping,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
)
from sqlalchemy.dialects.sqlite import insert as insert_or_update

from casparian_flow.core.files import EntryKind
from casparian_flow.core.sizes import SizeRange, parse_range
from casparian_flow.core.tags import TagRule
from casparian_flow.store.bulk import Bulk
from casparian_flow.store.notes import Note, noted, set_note
from casparian_flow.store.tables import locations, rules, sources, tags, versions
from casparian_flow.store.views.places import FOLDER

_BATCH = 10_000

TAGS = (
    select(
        tags.c.tag,
        func.count().label("files"),
        func.count().filter(tags.c.rule_id.is_(None)).label("by_hand"),
        func.sum(locations.c.size).label("size"),
    )
    .select_from(tags.join(locations, locations.c.id == tags.c.location_id))
    .group_by(tags.c.tag)
    .order_by(tags.c.tag)
)
SIZE = noted(Note.RULE_SIZE, rules.c.id).label("size_text")
RULES = select(
    rules,
    SIZE,
    select(func.count()).where(tags.c.rule_id == rules.c.id).scalar_subquery().label("files"),
).order_by(rules.c.priority.desc(), rules.c.id)
SAMPLES = (
    select(FOLDER, locations.c.display)
    .select_from(tags.join(locations, locations.c.id == tags.c.location_id).join(sources))
    .where(tags.c.rule_id == bindparam("rule"))
    .order_by(locations.c.source_id, locations.c.rel_path)
    .limit(10)
)
SAMPLES_OF_TAG = (
    select(FOLDER, locations.c.display)
    .select_from(tags.join(locations, locations.c.id == tags.c.location_id).join(sources))
    .where(tags.c.tag == bindparam("name"))
    .order_by(locations.c.source_id, locations.c.rel_path)
    .limit(10)
)
TAGGABLE = (
    select(locations.c.id, locations.c.display, locations.c.size)
    .where(locations.c.kind == EntryKind.FILE, locations.c.is_missing.is_(False))
    .execution_options(yield_per=_BATCH)
)
SEEN = (
    select(
        locations.c.id,
        locations.c.display,
        versions.c.content,
        exists().where(tags.c.location_id == locations.c.id).label("is_tagged"),
    )
    .select_from(locations.join(versions, versions.c.id == locations.c.current_version_id))
    .where(locations.c.kind == EntryKind.FILE, locations.c.is_missing.is_(False), locations.c.part_of.is_(None))
    .order_by(locations.c.source_id, locations.c.rel_path)
    .execution_options(yield_per=_BATCH)
)
_between = tags.c.location_id.between(bindparam("first"), bindparam("last"))
RULE_TAGS_BETWEEN = Bulk(
    select(tags.c.location_id, tags.c.tag).where(_between, tags.c.rule_id.is_not(None)), "first", "last"
)
HAND_TAGS_BETWEEN = Bulk(
    select(tags.c.location_id, tags.c.tag).where(_between, tags.c.rule_id.is_(None)), "first", "last"
)
_given = tags.alias("given")
GIVE = insert(tags).from_select(
    ["location_id", "tag", "rule_id"],
    select(
        bindparam("location", type_=tags.c.location_id.type),
        bindparam("name", type_=tags.c.tag.type),
        bindparam("rule", type_=tags.c.location_id.type),
    ).where(~exists().where(_given.c.location_id == bindparam("location"), _given.c.tag == bindparam("name"))),
)
COUNT_OF_RULE = select(func.count()).where(tags.c.rule_id == bindparam("rule"))
REMOVE_TAG = delete(tags).where(tags.c.location_id == bindparam("location"), tags.c.tag == bindparam("name"))
REMOVE_TAGS_OF_RULE = delete(tags).where(tags.c.rule_id == bindparam("rule"))
REMOVE_RULE = delete(rules).where(rules.c.id == bindparam("rule"))
ALL_RULES = select(
    rules.c.id, rules.c.pattern, rules.c.tag, rules.c.priority, rules.c.parser, rules.c.topic, SIZE
).order_by(rules.c.priority.desc(), rules.c.id)
SAME_TAG = ALL_RULES.where(rules.c.tag == bindparam("name"))
TAGS_OF_SOURCES = (
    select(tags.c.location_id, tags.c.tag, tags.c.rule_id)
    .join(locations, locations.c.id == tags.c.location_id)
    .where(locations.c.source_id.in_(bindparam("sources", expanding=True)))
    .order_by(tags.c.location_id, tags.c.tag)
)
RULE_TAGS_OF = Bulk(
    select(tags.c.tag, tags.c.rule_id).where(tags.c.location_id == bindparam("location"), tags.c.rule_id.is_not(None)),
    "location",
)
DROP_RULE_TAG = Bulk(
    delete(tags).where(
        tags.c.location_id == bindparam("location"), tags.c.tag == bindparam("name"), tags.c.rule_id.is_not(None)
    ),
    "location",
    "name",
)
_ruled = insert_or_update(tags).values(
    location_id=bindparam("location"), tag=bindparam("name"), rule_id=bindparam("rule")
)
SET_RULE_TAG = Bulk(
    _ruled.on_conflict_do_update(
        index_elements=["location_id", "tag"],
        set_={"rule_id": _ruled.excluded.rule_id},
        where=tags.c.rule_id.is_not(None) & tags.c.rule_id.is_distinct_from(_ruled.excluded.rule_id),
    ),
    "location",
    "name",
    "rule",
)
PATHS_AFTER = Bulk(
    select(locations.c.id, locations.c.display, locations.c.size)
    .where(locations.c.id > bindparam("after"), locations.c.kind == literal_column("'file'"))
    .order_by(locations.c.id)
    .limit(bindparam("page", type_=Integer)),
    "after",
    "page",
)


def all_rules(connection: Connection) -> list[TagRule]:
    """Every rule, in the order in which they are asked."""
    return [_rule(row) for row in connection.execute(ALL_RULES)]


def tags_of_sources(connection: Connection, wanted: Iterable[int]) -> Iterator[tuple[int, str, int | None]]:
    """Location, tag and rule (None: a person) of everything tagged in these sources."""
    for row in connection.execute(TAGS_OF_SOURCES, {"sources": list(wanted)}):
        yield row[0], row[1], row[2]


def paths_after(driver: sqlite3.Connection, after: int, page: int) -> list[tuple[int, str, int]]:
    """The next page of file locations, their readable paths and sizes, by id."""
    return driver.execute(PATHS_AFTER.text, (after, page)).fetchall()


def replace_rule_tags(
    driver: sqlite3.Connection, locations: Iterable[int], rows: Sequence[tuple[int, str, int]]
) -> None:
    """Make (location, tag, rule) all that rules give to these locations; what is so already is not written."""
    wanted = {(location, tag) for location, tag, _ in rows}
    for location in locations:
        for tag, _ in driver.execute(RULE_TAGS_OF.text, (location,)).fetchall():
            if (location, tag) not in wanted:
                driver.execute(DROP_RULE_TAG.text, (location, tag))
    driver.executemany(SET_RULE_TAG.text, rows)


def list_tags(connection: Connection) -> Sequence[RowMapping]:
    """Every tag with the number and size of its files; `by_hand` counts those that no rule gave."""
    return connection.execute(TAGS).mappings().all()


def list_rules(connection: Connection) -> Sequence[RowMapping]:
    """Every rule in the order in which rules are asked, with the number of files that carry its tag through it."""
    return connection.execute(RULES).mappings().all()


def sample_of_tag(connection: Connection, tag: str) -> list[str]:
    """The first ten paths that have the tag."""
    return [f"{source}/{path}" for source, path in connection.execute(SAMPLES_OF_TAG, {"name": tag})]


def sample_of_rule(connection: Connection, rule: int) -> list[str]:
    """The first ten paths that the rule tagged."""
    return [f"{source}/{path}" for source, path in connection.execute(SAMPLES, {"rule": rule})]


def add_tag(connection: Connection, location: int, tag: str) -> bool:
    """Tag one location by hand; false when it has the tag already."""
    return connection.execute(GIVE, {"location": location, "name": tag, "rule": None}).rowcount == 1


def add_tags(connection: Connection, locations: Sequence[int], tag: str) -> None:
    """Tag many locations by hand; those that have the tag keep it as it is."""
    for start in range(0, len(locations), _BATCH):
        batch = locations[start : start + _BATCH]
        connection.execute(GIVE, [{"location": each, "name": tag, "rule": None} for each in batch])


def remove_tag(connection: Connection, location: int, tag: str) -> bool:
    """Take a tag from one location; false when it does not have it."""
    return connection.execute(REMOVE_TAG, {"location": location, "name": tag}).rowcount == 1


def find_rule(connection: Connection, pattern: str, tag: str) -> int | None:
    """The id of the rule with that pattern and tag."""
    found: int | None = connection.execute(
        select(rules.c.id).where(rules.c.pattern == pattern, rules.c.tag == tag)
    ).scalar()
    return found


def add_rule(
    connection: Connection,
    *,
    pattern: str,
    tag: str,
    priority: int,
    parser: str | None,
    topic: str | None,
    now_ns: int,
    size: SizeRange | None = None,
) -> int:
    """Keep a rule; its id."""
    rule = int(
        connection.execute(
            insert(rules).returning(rules.c.id),
            {
                "pattern": pattern,
                "tag": tag,
                "priority": priority,
                "parser": parser,
                "topic": topic,
                "added_at_ns": now_ns,
            },
        ).scalar_one()
    )
    set_note(connection, Note.RULE_SIZE, rule, size.text if size else None)
    return rule


def remove_rule(connection: Connection, rule: int) -> int:
    """Forget a rule and the tags it gave; how many there were."""
    taken = connection.execute(REMOVE_TAGS_OF_RULE, {"rule": rule}).rowcount
    connection.execute(REMOVE_RULE, {"rule": rule})
    set_note(connection, Note.RULE_SIZE, rule, None)
    return taken


def rules_with_tag(connection: Connection, tag: str) -> list[TagRule]:
    """The rules that give a tag, in the order in which they are asked."""
    return [_rule(row) for row in connection.execute(SAME_TAG, {"name": tag})]


def taggable(connection: Connection) -> Iterable[tuple[int, str, int]]:
    """Every present file with its path and size, a batch in memory at a time."""
    for row in connection.execute(TAGGABLE):
        yield row.id, row.display, row.size


def seen_files(connection: Connection) -> Iterable[tuple[int, str, str, bool]]:
    """Every present file that was read: its id, path, kind of content, and whether it has a tag."""
    for row in connection.execute(SEEN):
        yield row.id, row.display, row.content, bool(row.is_tagged)


def rule_tags(driver: sqlite3.Connection, first: int, last: int) -> set[tuple[int, str]]:
    """The (location, tag) pairs that rules gave to the locations between these two, both included."""
    return {(row[0], row[1]) for row in driver.execute(RULE_TAGS_BETWEEN.text, (first, last))}


def tags_by_hand(driver: sqlite3.Connection, first: int, last: int) -> set[tuple[int, str]]:
    """The (location, tag) pairs that a person gave to the locations between these two, both included."""
    return {(row[0], row[1]) for row in driver.execute(HAND_TAGS_BETWEEN.text, (first, last))}


def _rule(row: Row[Any]) -> TagRule:
    size = None if row.size_text is None else parse_range(row.size_text)
    return TagRule(row.id, row.pattern, row.tag, row.priority, row.parser, row.topic, size)


def give_by_rule(connection: Connection, rule: TagRule, chosen: Sequence[int]) -> int:
    """Tag those of the locations in the rule's name that do not have the tag yet; how many the rule tagged in all."""
    for start in range(0, len(chosen), _BATCH):
        batch = chosen[start : start + _BATCH]
        connection.execute(GIVE, [{"location": each, "name": rule.tag, "rule": rule.id} for each in batch])
    return int(connection.execute(COUNT_OF_RULE, {"rule": rule.id}).scalar_one())
