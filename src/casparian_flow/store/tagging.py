"""Tags given by a person, and the rules that give tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, RowMapping, bindparam, delete, exists, func, insert, select

from casparian_flow.core.files import EntryKind
from casparian_flow.core.tags import TagRule
from casparian_flow.store.tables import locations, rules, sources, tags
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
RULES = select(
    rules,
    select(func.count()).where(tags.c.rule_id == rules.c.id).scalar_subquery().label("files"),
).order_by(rules.c.priority.desc(), rules.c.id)
SAMPLES = (
    select(FOLDER, locations.c.display)
    .select_from(tags.join(locations, locations.c.id == tags.c.location_id).join(sources))
    .where(tags.c.rule_id == bindparam("rule"))
    .order_by(locations.c.source_id, locations.c.rel_path)
    .limit(10)
)
TAGGABLE = (
    select(locations.c.id, locations.c.display)
    .where(locations.c.kind == EntryKind.FILE, locations.c.is_missing.is_(False))
    .execution_options(yield_per=_BATCH)
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
SAME_TAG = select(rules).where(rules.c.tag == bindparam("name")).order_by(rules.c.priority.desc(), rules.c.id)


def list_tags(connection: Connection) -> Sequence[RowMapping]:
    """Every tag with the number and size of its files; `by_hand` counts those that no rule gave."""
    return connection.execute(TAGS).mappings().all()


def list_rules(connection: Connection) -> Sequence[RowMapping]:
    """Every rule in the order in which rules are asked, with the number of files that carry its tag through it."""
    return connection.execute(RULES).mappings().all()


def sample_of_rule(connection: Connection, rule: int) -> list[str]:
    """The first ten paths that the rule tagged."""
    return [f"{source}/{path}" for source, path in connection.execute(SAMPLES, {"rule": rule})]


def add_tag(connection: Connection, location: int, tag: str) -> bool:
    """Tag one location by hand; false when it has the tag already."""
    return connection.execute(GIVE, {"location": location, "name": tag, "rule": None}).rowcount == 1


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
) -> int:
    """Keep a rule; its id."""
    return int(
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


def remove_rule(connection: Connection, rule: int) -> int:
    """Forget a rule and the tags it gave; how many there were."""
    taken = connection.execute(REMOVE_TAGS_OF_RULE, {"rule": rule}).rowcount
    connection.execute(REMOVE_RULE, {"rule": rule})
    return taken


def rules_with_tag(connection: Connection, tag: str) -> list[TagRule]:
    """The rules that give a tag, in the order in which they are asked."""
    return [
        TagRule(row.id, row.pattern, row.tag, row.priority, row.parser, row.topic)
        for row in connection.execute(SAME_TAG, {"name": tag})
    ]


def taggable(connection: Connection) -> Iterable[tuple[int, str]]:
    """Every present file with its path, a batch in memory at a time."""
    for row in connection.execute(TAGGABLE):
        yield row.id, row.display


def give_by_rule(connection: Connection, rule: TagRule, chosen: Sequence[int]) -> int:
    """Tag those of the locations in the rule's name that do not have the tag yet; how many the rule tagged in all."""
    for start in range(0, len(chosen), _BATCH):
        batch = chosen[start : start + _BATCH]
        connection.execute(GIVE, [{"location": each, "name": rule.tag, "rule": rule.id} for each in batch])
    return int(connection.execute(COUNT_OF_RULE, {"rule": rule.id}).scalar_one())
