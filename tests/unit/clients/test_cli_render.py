"""Tables fit the terminal, and every format holds what it promises."""

from __future__ import annotations

import io
import json

import pytest

from casparian_flow.clients.cli.face import wants_color
from casparian_flow.clients.cli.render import Column, Kind, Paper, size_text, write_list, write_record
from casparian_flow.clients.cli.table import Room, draw, shorten, width_of
from casparian_flow.core.errors import UsageError

COLUMNS = (Column("name"), Column("size", Kind.SIZE), Column("at", Kind.TIME), Column("rows", Kind.COUNT))
ITEMS = [
    {"name": "a.csv", "size": 999, "at": "2026-03-02T10:00:00.5Z", "rows": 1234567},
    {"name": "日本\x1b.csv", "size": 1500, "at": None, "rows": None},
]


def written(format_: str, *, width: int | None = None, color: bool = False, fields: tuple[str, ...] = ()) -> str:
    stream = io.StringIO()
    paper = Paper(stream, format_, width, color, fields)
    write_list(paper, "casparian.test/1", "items", ITEMS, COLUMNS, ("name", "size", "at", "rows"), {"next": None})
    return stream.getvalue()


def test_a_table_aligns_text_left_and_numbers_right_also_beside_wide_characters():
    assert written("table").splitlines() == [
        "NAME            SIZE  AT                        ROWS",
        "a.csv          999 B  2026-03-02 10:00:00  1,234,567",
        "日本\\x1b.csv  1.5 kB  -                            -",
    ]


def test_plain_is_values_as_they_are_between_tabs():
    assert written("plain") == "a.csv\t999\t2026-03-02T10:00:00.5Z\t1234567\n日本\\x1b.csv\t1500\t\t\n"


def test_json_is_one_object_with_its_schema():
    assert json.loads(written("json")) == {"schema": "casparian.test/1", "items": ITEMS, "next": None}


def test_jsonl_is_one_object_per_line():
    assert [json.loads(line) for line in written("jsonl").splitlines()] == ITEMS


def test_csv_has_a_header():
    assert written("csv", fields=("rows", "name")) == "rows,name\n1234567,a.csv\n,日本\\x1b.csv\n"


def test_an_unknown_field_is_an_error_that_suggests_one():
    with pytest.raises(UsageError) as caught:
        written("plain", fields=("nmae",))
    assert caught.value.why == "did you mean name?"


def test_an_empty_list_is_valid_json():
    stream = io.StringIO()
    write_list(Paper(stream, "json"), "s", "items", [], COLUMNS, (), {})
    assert json.loads(stream.getvalue()) == {"schema": "s", "items": []}


@pytest.mark.parametrize("width", [20, 30, 40, 60])
def test_no_line_is_wider_than_the_terminal_when_text_can_give_way(width):
    rows = [["x" * 100, "y" * 30, "1"], ["漢字" * 30, "", "22"]]
    for line in draw(["A", "B", "N"], rows, right=[False, False, True], width=width):
        assert width_of(line) <= max(width, 8 + 8 + 2 + 4)


def test_what_is_copied_is_cut_last_and_the_least_is_left_out_where_nothing_legible_would_be_left():
    rooms = [Room.KEPT, Room.CUT, Room.DROPPED, Room.DROPPED]
    rows = [["c" * 20, "m" * 40, "first", "last"]]

    def drawn(width):
        return list(draw(["A", "B", "C", "D"], rows, right=[False] * 4, rooms=rooms, width=width))[1].split()

    assert drawn(None) == drawn(80) == rows[0]
    assert [len(cell) for cell in drawn(51)] == [20, 16, 5, 4]
    assert [len(cell) for cell in drawn(50)] == [20, 21, 5]
    assert [len(cell) for cell in drawn(42)] == [20, 20]
    assert [len(cell) for cell in drawn(25)] == [15, 8]


def test_a_row_after_the_measured_ones_is_cut_to_fit():
    rows = [["ab"]] * 300 + [["a much longer one"]]
    assert max(map(width_of, draw(["A"], rows, right=[False], width=None))) == 2


def test_shortening_keeps_both_ends():
    assert shorten("evidence/host/file.csv", 12) == "eviden…e.csv"
    assert shorten("日本語日本語", 7) == "日…語"
    assert shorten("abc", 3) == "abc"
    assert shorten("abc", 1) == "…"


def test_colour_marks_states_and_does_not_move_columns():
    lines = list(draw(["STATE", "N"], [["done", "1"], ["failed", "2"]], right=[False, True], width=None, color=True))
    assert lines[1] == "\x1b[32mdone\x1b[0m    1"
    assert lines[2] == "\x1b[31mfailed\x1b[0m  2"


@pytest.mark.parametrize(
    ("choice", "terminal", "env", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", False, {"CLICOLOR_FORCE": "1"}, True),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"CLICOLOR_FORCE": "1"}, False),
    ],
)
def test_colour_follows_the_option_then_the_environment_then_the_terminal(choice, terminal, env, expected):
    assert wants_color(choice, is_terminal=terminal, env=env) is expected


def test_a_record_in_a_pipe_is_a_line_per_field():
    stream = io.StringIO()
    write_record(Paper(stream, "plain"), "s", {"a": [1, 2], "b": None, "c": {"d": 1}, "e": True}, [])
    assert stream.getvalue() == 'a\t1,2\nb\t\nc\t{"d": 1}\ne\ttrue\n'


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2**63, "9.2 EB")]
)
def test_sizes_are_short(size, text):
    assert size_text(size) == text


def test_a_moment_is_never_cut_and_a_given_title_stands_as_it_is_but_inert():
    stream = io.StringIO()
    columns = (Column("name", title="_cf_source\x1brow"), Column("at", Kind.TIME))
    items = [{"name": "x" * 60, "at": "2026-03-02T10:00:00.5Z"}]
    write_list(Paper(stream, "table", 40), "s", "items", items, columns, ("name", "at"), {})
    heading, row = stream.getvalue().splitlines()
    assert heading.startswith("_cf_source\\x1brow")
    assert row.endswith("x  2026-03-02 10:00:00")
