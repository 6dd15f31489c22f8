"""Tags lead to jobs through the subscriptions of parsers, and every step of the way is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casparian_flow.core.artifacts import ParserArtifact, ParserOrigin, ParserStatus
from casparian_flow.core.ids import ArtifactHash, EnvHash
from casparian_flow.core.tags import TagRule
from casparian_flow.sentinel.planning.routing import Candidate, Route, Routing


def a_parser(
    name: str,
    *tags: str,
    priority: int = 50,
    status: ParserStatus = ParserStatus.ACTIVE,
    origin: ParserOrigin = ParserOrigin.SHIPPED,
    patterns: tuple[str, ...] = (),
) -> Candidate:
    artifact = ParserArtifact(
        name=name,
        version="1",
        artifact_hash=ArtifactHash(name),
        env_hash=EnvHash("e"),
        path=f"/{name}",
        origin=origin,
        status=status,
    )
    return Candidate(id=1, artifact=artifact, subscriptions=tags, priority=priority, patterns=patterns)


GENERIC = replace(a_parser("delimited"), content=("delimited",))


def route(*parsers: Candidate, rules: tuple[TagRule, ...] = (), tags: tuple[str, ...] = ()) -> Route:
    routing = Routing(parsers={each.artifact.name: each for each in (GENERIC, *parsers)}, rules=rules)
    return routing.choose("in/fw.csv", "delimited", "two fields", tags)


def chosen(found: Route) -> str | None:
    return found.parser.artifact.name if found.parser else None


def test_a_tag_given_by_a_rule_or_by_hand_leads_to_its_subscriber_and_the_answer_names_both():
    acme = a_parser("acme", "fw")
    by_rule = route(acme, rules=(TagRule(1, "*.csv", "fw", 70),))
    assert (chosen(by_rule), by_rule.tag) == ("acme", "fw")
    assert by_rule.why == "rule *.csv (priority 70) gives tag fw, to which acme subscribes"
    by_hand = route(acme, tags=("fw",))
    assert (chosen(by_hand), by_hand.tag, by_hand.why) == ("acme", "fw", "tag fw, to which acme subscribes")


def test_a_tag_without_subscriber_leaves_the_choice_to_the_content_and_says_so():
    found = route(rules=(TagRule(1, "*.csv", "fw"),), tags=("fw",))
    assert (chosen(found), found.tag) == ("delimited", None)
    assert found.steps[0] == "rule *.csv (priority 50) gives tag fw, which no parser subscribes to"


def by_name(name: str, pattern: str, priority: int = 50, status: ParserStatus = ParserStatus.ACTIVE) -> Candidate:
    return a_parser(name, priority=priority, status=status, origin=ParserOrigin.PLUGIN, patterns=(pattern,))


def test_an_approved_parser_of_the_home_reads_the_files_whose_names_fit_its_pattern():
    acme = by_name("acme", "fw*.csv")
    found = route(acme)
    assert (chosen(found), found.tag) == ("acme", None)
    assert found.why == "the name fits fw*.csv, the pattern of acme"
    assert chosen(route(acme, rules=(TagRule(1, "*.csv", "fw", parser="delimited"),))) == "delimited"
    assert chosen(route(acme, a_parser("bob", "fw"), tags=("fw",))) == "bob"
    assert chosen(route(by_name("acme", "web*.csv"))) == "delimited"
    assert chosen(route(by_name("acme", "fw*.csv", status=ParserStatus.PENDING))) == "delimited"
    assert chosen(route(a_parser("acme", patterns=("fw*.csv",)))) == "delimited", "shipped patterns are wide"


def test_of_several_patterns_that_fit_the_higher_priority_decides_and_the_same_one_is_said():
    assert chosen(route(by_name("acme", "*.csv"), by_name("bob", "fw*", priority=60))) == "bob"
    found = route(by_name("acme", "*.csv"), by_name("bob", "fw*"))
    assert chosen(found) is None
    assert found.why.startswith("acme and bob ask for it with the same priority")


@pytest.mark.parametrize("tags", [("fw",), ("fw", "net")])
def test_of_several_subscribers_the_one_with_the_highest_priority_reads_the_file(tags):
    assert (
        chosen(route(a_parser("acme", "fw", priority=40), a_parser("bob", tags[-1], priority=60), tags=tags)) == "bob"
    )


@pytest.mark.parametrize("tags", [("fw",), ("fw", "net")])
@pytest.mark.parametrize("has_rules", [True, False])
def test_subscribers_of_the_same_priority_are_not_guessed_between_and_the_reason_names_them(tags, has_rules):
    parsers = (a_parser("acme", "fw"), a_parser("bob", tags[-1]))
    rules = tuple(TagRule(number, "*.csv", tag) for number, tag in enumerate(tags))
    found = route(*parsers, rules=rules) if has_rules else route(*parsers, tags=tags)
    assert chosen(found) is None
    assert "acme and bob ask for it with the same priority" in found.why and "rules add --parser" in found.why


def test_a_rule_of_higher_priority_decides_before_any_subscription_below_it():
    rules = (TagRule(1, "*.csv", "fw", 50), TagRule(2, "in/*.csv", "net", 60, parser="bob"))
    assert chosen(route(a_parser("acme", "fw"), a_parser("bob"), rules=rules)) == "bob"


def test_a_name_and_a_subscription_of_the_same_priority_disagree_aloud():
    rules = (TagRule(1, "*.csv", "fw"), TagRule(2, "in/*.csv", "net", parser="bob"))
    found = route(a_parser("acme", "fw"), a_parser("bob"), rules=rules)
    assert chosen(found) is None
    assert found.why.startswith("rules of the same priority disagree") and "acme" in found.why and "bob" in found.why


def test_a_parser_that_waits_for_approval_never_stands_before_an_active_one():
    pending = a_parser("new", "fw", priority=99, status=ParserStatus.PENDING)
    assert chosen(route(pending, a_parser("acme", "fw"), tags=("fw",))) == "acme"
    assert chosen(route(pending, tags=("fw",))) == "new"
