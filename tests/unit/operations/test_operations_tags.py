"""Tags and rules: what a rule gives it takes back, what a person gives stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders import HomeBuilder, StoreActing
from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.doing.reading import open_reading
from casparian_flow.operations.doing.source import rules, tags
from casparian_flow.operations.source.rules import AddRule, ListRules, RemoveRule
from casparian_flow.operations.source.tags import ChangeTags, ListTags
from casparian_flow.settings import Settings

CWD = Path("/evidence")


@pytest.fixture
def acting(past: HomeBuilder) -> StoreActing:
    source = past.source()
    for name in ("a.csv", "sub/b.csv", "c.txt"):
        past.location(source, name)
    past.location(source, "pipe.csv", kind="fifo")
    past.location(source, "gone.csv", is_missing=True)
    return StoreActing(past.database, CWD)


def tagged(past: HomeBuilder) -> dict[str, tuple[int, int]]:
    with open_reading(past.home, Settings(), CWD) as reading:
        return {entry.tag: (entry.files, entry.by_hand) for entry in tags.list_(reading, ListTags()).tags}


def test_a_new_rule_tags_the_files_that_can_be_parsed(past, acting):
    detail = rules.add(acting, AddRule(pattern="*.csv", tag="sheets"))
    assert detail.rule.files == 2
    assert detail.sample == ["/evidence/a.csv", "/evidence/sub/b.csv"]
    assert tagged(past) == {"sheets": (2, 0)}


def test_removing_a_rule_takes_back_only_what_it_alone_gave(past, acting):
    every = rules.add(acting, AddRule(pattern="**/*.csv", tag="sheets")).rule.id
    rules.add(acting, AddRule(pattern="sub/*", tag="sheets", priority=60))
    tags.add(acting, ChangeTags(files=("c.txt",), tag="sheets"))
    assert tagged(past) == {"sheets": (3, 1)}
    rules.remove(acting, RemoveRule(rule=every))
    assert tagged(past) == {"sheets": (2, 1)}


def test_the_same_rule_twice_is_refused(acting):
    rules.add(acting, AddRule(pattern="*", tag="all"))
    with pytest.raises(UsageError):
        rules.add(acting, AddRule(pattern="*", tag="all"))


@pytest.mark.parametrize(
    ("pattern", "tag"), [("", "t"), ("*", ""), ("*", "two words"), ("*", "a\x1b"), ("*" * 1001, "t")]
)
def test_a_rule_that_makes_no_sense_is_refused(past, acting, pattern, tag):
    with pytest.raises(UsageError):
        rules.add(acting, AddRule(pattern=pattern, tag=tag))
    assert tagged(past) == {}


def test_tagging_several_files_is_all_or_nothing(past, acting):
    with pytest.raises(NotFound):
        tags.add(acting, ChangeTags(files=("a.csv", "absent.csv"), tag="seen"))
    assert tagged(past) == {}


def test_tagging_twice_changes_nothing_and_says_so(past, acting):
    first = tags.add(acting, ChangeTags(files=("a.csv", "c.txt"), tag="seen"))
    again = tags.add(acting, ChangeTags(files=("a.csv", "c.txt"), tag="seen"))
    assert (first.changed, first.unchanged) == (2, 0)
    assert (again.changed, again.unchanged) == (0, 2)
    assert tagged(past) == {"seen": (2, 2)}
    assert tags.remove(acting, ChangeTags(files=("a.csv", "sub/b.csv"), tag="seen")).changed == 1
    assert tagged(past) == {"seen": (1, 1)}


def test_rules_are_listed_in_the_order_in_which_they_are_asked(past, acting):
    for priority in (10, 90, 50):
        rules.add(acting, AddRule(pattern="*", tag=f"t{priority}", priority=priority))
    with open_reading(past.home, Settings(), CWD) as reading:
        assert [rule.priority for rule in rules.list_(reading, ListRules()).rules] == [90, 50, 10]


def test_a_rule_that_does_not_exist_is_not_found(acting):
    with pytest.raises(NotFound):
        rules.remove(acting, RemoveRule(rule=7))
