"""Lists hold what was asked for, in the order asked for, and a cut one can be gone on with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.clients.cli import lists
from casparian_flow.clients.cli.lists import Condition, choose, order, read_wish
from casparian_flow.core.errors import UsageError

KNOWN = ("name", "size", "tags", "done")


class Thing(msgspec.Struct, frozen=True):
    name: str
    size: int | None
    tags: list[str] = []
    done: bool = False


@dataclass
class Page:
    things: list[Thing]
    next_cursor: str | None


def pages_of(things: list[Thing], most: int):
    """Pages of at most so many things, as an operation gives them, whatever is asked for."""

    def ask(limit: int, after: str | None) -> Page:
        start = int(after or 0)
        end = start + min(limit, most)
        return Page(things[start:end], str(end) if end < len(things) else None)

    return ask


def taken(things, *, where=(), sort=None, cursor=None, limit=None, most=7) -> tuple[list[dict[str, Any]], str | None]:
    wish = read_wish(where, sort, cursor, limit, KNOWN)
    ask, rest = pages_of(things, most), {}
    first = ask(wish.page, wish.after)
    return list((order if sort else choose)(wish, "things", first, ask, rest)), rest["next_cursor"]


THINGS = [Thing(f"n{number % 5}", None if number % 6 == 0 else number * 37 % 23) for number in range(40)]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("size=5", True),
        ("size = 5.0", True),
        ("size!=5", False),
        ("size>4", True),
        ("size<=4", False),
        ("size=five", False),
        ("size!=five", True),
        ("name=Big File", True),
        ("name~big", True),
        ("name<C", True),
        ("tags=red", True),
        ("tags=green", False),
        ("tags!=red", False),
        ("tags~RE", True),
        ("done=true", True),
        ("done!=True", False),
    ],
)
def test_a_condition_compares_numbers_as_numbers_and_the_rest_as_text(text, fits):
    (condition,) = read_wish([text], None, None, None, KNOWN).conditions
    assert condition.fits({"name": "Big File", "size": 5, "tags": ["red", "blue"], "done": True}) is fits


@pytest.mark.parametrize(("operator", "text", "fits"), [("=", "", True), ("!=", "", False), ("!=", "x", True)])
@pytest.mark.parametrize("nothing", [None, "", []])
def test_what_is_missing_fits_only_nothing(operator, text, fits, nothing):
    assert Condition("name", operator, text).fits({"name": nothing}) is fits
    assert not Condition("name", ">", "1").fits({"name": nothing})


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 9),
    most=st.integers(1, 9),
    where=st.sampled_from([(), ("name=n3",), ("size>10", "name!=n1"), ("size=",), ("name=none",)]),
    sort=st.sampled_from([None, "size", "-size", "name"]),
)
def test_going_on_where_a_list_was_cut_shows_every_item_once(limit, most, where, sort):
    whole, end = taken(THINGS, where=where, sort=sort, most=most)
    assert end is None
    found, cursor = [], None
    for _ in range(len(THINGS) + 1):
        items, cursor = taken(THINGS, where=where, sort=sort, cursor=cursor, limit=limit, most=most)
        assert len(items) == limit or cursor is None
        found += items
        if cursor is None:
            break
    if sort is None:
        assert found == whole
    else:
        assert [item[sort.lstrip("-")] for item in found] == [item[sort.lstrip("-")] for item in whole]
        assert sorted(map(repr, found)) == sorted(map(repr, whole))


@pytest.mark.parametrize("limit", [None, 40])
def test_order_goes_both_ways_and_what_is_missing_comes_last(limit):
    for sort, is_down in (("size", False), ("-size", True)):
        sizes = [item["size"] for item in taken(THINGS, sort=sort, limit=limit)[0]]
        there = [size for size in sizes if size is not None]
        assert there == sorted(there, reverse=is_down)
        assert sizes[: len(there)] == there


def test_more_than_can_be_put_in_order_is_refused_with_a_way_out(monkeypatch):
    monkeypatch.setattr(lists, "MOST_SORTED", 30)
    with pytest.raises(UsageError, match="put in order") as caught:
        taken(THINGS, sort="size")
    assert "--limit" in caught.value.fix
    assert len(taken(THINGS, sort="size", limit=5)[0]) == 5


@pytest.mark.parametrize(("where", "sort"), [(["sizes=1"], None), (["size"], None), ([], "-sizes")])
def test_a_wrong_field_or_form_is_an_error_that_says_what_to_write(where, sort):
    with pytest.raises(UsageError) as caught:
        read_wish(where, sort, None, None, KNOWN)
    assert "size" in caught.value.fix or "name=VALUE" in caught.value.fix


def test_the_list_of_a_home_is_chosen_ordered_and_gone_on_with(ask):
    whole = ask("files", "--sort", "-path", "--json").json["files"]
    first = ask("files", "--sort", "-path", "--limit", "4", "--json")
    assert "was cut" in first.err
    second = ask("files", "--sort", "-path", "--cursor", first.json["next_cursor"], "--json").json["files"]
    assert first.json["files"] + second == whole
    assert [item["path"] for item in whole] == sorted((item["path"] for item in whole), reverse=True)


def test_conditions_reach_every_page_and_short_lists_too(ask):
    assert ask("files", "--where", "state=failed", "--fields", "path").out == "failed.csv\n"
    assert ask("tags", "--where", "files>=1", "--where", "tag~SAL", "--fields", "tag").out == "sales\n"
    assert ask("tags", "--limit", "1", "--json").json["next_cursor"] == "~1"


def test_a_cursor_that_no_list_gave_out_is_an_error(ask):
    assert ask("files", "--cursor", "nonsense").code == 2
    assert ask("jobs", "--cursor", "\x1b[2J").code == 2


def test_an_option_of_lists_has_no_effect_elsewhere_and_says_so(ask):
    answer = ask("status", "--where", "a=b")
    assert answer.code == 0 and "--where has no effect" in answer.err


def test_cells_of_a_guarded_csv_are_never_formulas(ask, home):
    ask("rules", "add", "=cmd()", "--tag", "t")
    ask("rules", "add", "@sum(1)", "--tag", "u")
    rows = ask("rules", "-f", "csv", "--csv-safe", "--fields", "pattern,priority").out.splitlines()
    assert "'=cmd(),50" in rows and "'@sum(1),50" in rows
    assert "=cmd(),50" in ask("rules", "-f", "csv", "--fields", "pattern,priority").out.splitlines()


def test_a_markdown_table_shows_text_as_it_is(ask):
    ask("rules", "add", "a|b*[x](y)<i>", "--tag", "t")
    assert r"| a\|b\*\[x\](y)\<i\> |" in ask("rules", "-f", "md", "--fields", "pattern").out


def test_a_failure_in_json_lines_is_json_too(ask):
    assert json.loads(ask("files", "show", "nope", "-f", "jsonl").err)["code"] == "not-found"
