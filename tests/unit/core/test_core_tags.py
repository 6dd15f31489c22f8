"""Globs over paths, and the order of rules."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.sizes import parse_range
from casparian_flow.core.tags import TagRule, explain_match, matches, rules_for


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "deep/down/a.csv", True),
        ("*.csv", "a.csv.gz", False),
        ("sub/*.csv", "sub/a.csv", True),
        ("sub/*.csv", "sub/sub/a.csv", False),
        ("sub/**/*.csv", "sub/a.csv", True),
        ("sub/**/*.csv", "sub/x/y/a.csv", True),
        ("**/logs/**", "a/logs/b/c", True),
        ("**/logs/**", "logs/c", True),
        ("a?c", "abc", True),
        ("x/a?c", "x/a/c", False),
        ("[ab].txt", "a.txt", True),
        ("[!ab].txt", "a.txt", False),
        ("[!ab].txt", "c.txt", True),
        ("[a-c].txt", "b.txt", True),
        ("[]].txt", "].txt", True),
        ("[.txt", "[.txt", True),
        ("a.b", "axb", False),
        ("*", "line\nbreak", True),
        ("(a|b)+", "(a|b)+", True),
        ("[\\d].txt", "5.txt", False),
        ("[^a].txt", "b.txt", True),
    ],
)
def test_a_glob_matches_as_documented(pattern, path, expected):
    assert matches(pattern, path) is expected


@given(st.text(alphabet="ab*?[]!-^\\/.", max_size=12), st.text(alphabet="ab/.-^\\]", max_size=12))
def test_no_pattern_is_an_error(pattern, path):
    assert matches(pattern, path) in (True, False)


@given(st.text(alphabet=st.characters(exclude_characters="*?[", codec="utf-8"), max_size=20))
def test_a_pattern_without_wildcards_matches_itself(name):
    assert matches(name, name)


def slowly(pattern: str, path: str) -> bool:
    """The same law by trying everything."""
    if pattern.startswith("**/"):
        rests = [path, *(path[at + 1 :] for at, char in enumerate(path) if char == "/")]
        return any(slowly_after(pattern[3:], rest, "/") for rest in rests)
    return slowly_after(pattern, path, "")


def slowly_after(pattern: str, path: str, before: str) -> bool:
    if before == "/" and pattern.startswith("**/"):
        return slowly(pattern, path)
    if not pattern:
        return not path
    if pattern.startswith("**"):
        return any(slowly_after(pattern[2:], path[at:], "*") for at in range(len(path) + 1))
    if pattern[0] == "*":
        end = path.find("/") if "/" in path else len(path)
        return any(slowly_after(pattern[1:], path[at:], "*") for at in range(end + 1))
    if not path:
        return False
    is_same = path[0] != "/" if pattern[0] == "?" else path[0] == pattern[0]
    return is_same and slowly_after(pattern[1:], path[1:], pattern[0])


@settings(max_examples=1500)
@given(st.text(alphabet="ab*?/", max_size=9), st.text(alphabet="ab/", max_size=9))
def test_a_glob_means_what_trying_everything_says(pattern, path):
    assert matches("x/" + pattern, "x/" + path) is slowly_after(pattern, path, "/")


@pytest.mark.parametrize("star", ["*", "**", "a**/", "**a*"])
def test_a_hostile_pattern_and_path_end_at_once(star):
    assert not matches(f"{star}a" * 40 + "b", "a" * 300)
    assert not matches("x/" + f"{star}/a" * 20 + "b", "x/" + "a/" * 150)


def test_rules_are_asked_by_priority_then_by_age():
    rules = [
        TagRule(1, "*.csv", "low", 10),
        TagRule(2, "*", "late"),
        TagRule(3, "*", "high", 90),
        TagRule(4, "*.x", "no"),
    ]
    assert [rule.id for rule in rules_for("a.csv", rules)] == [3, 2, 1]


def test_a_match_is_explained_by_what_would_have_matched() -> None:
    assert explain_match("*.csv", "a/b.csv") == "the file name 'b.csv' matches '*.csv'"
    assert "upper and lower case" in explain_match("*.CSV", "a/b.csv")
    assert "**/b/*.csv" in explain_match("b/*.csv", "a/b/c.csv")
    assert "the folder does not" in explain_match("x/*.csv", "a/b.csv")
    assert explain_match("*.log", "a/b.csv") == "the file name 'b.csv' does not match '*.log'"


def test_a_rule_with_a_size_does_not_fit_a_file_of_unknown_size() -> None:
    rule = TagRule(1, "*", "t", size=parse_range(">1k"))
    assert rule.fits("a", 2000)
    assert not rule.fits("a", 1000)
    assert not rule.fits("a", None)
