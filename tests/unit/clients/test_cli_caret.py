"""A record and what points at its fault, on a terminal that the record cannot harm."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.clients.cli.caret import INDENT, caret_lines
from casparian_flow.clients.cli.render import Paper
from casparian_flow.clients.cli.table import width_of
from casparian_flow.core.text import safe_text


def a_paper(width: int | None = None, *, is_ascii: bool = True) -> Paper:
    return Paper(io.StringIO(), "table", width=width, is_ascii=is_ascii)


def test_the_caret_stands_under_what_is_at_fault() -> None:
    assert list(caret_lines(a_paper(), "3,cy,NA", 5, 7)) == ["  3,cy,NA", "       ^^"]


def test_what_a_terminal_would_obey_is_shown_as_codes_and_the_caret_still_fits() -> None:
    text = "\x1b[31m\u202e,\tNA"
    record, caret = caret_lines(a_paper(), text, 8, 10)
    assert record == r"  \x1b[31m\u202e,\tNA"
    assert record[caret.index("^") :] == "NA"


def test_wide_and_combining_characters_take_the_room_that_they_take_on_a_terminal() -> None:
    record, caret = caret_lines(a_paper(is_ascii=False), "表e\u0301,NA", 4, 6)
    assert caret.index("^") == len(INDENT) + width_of("表e\u0301,")
    assert record.endswith("NA")


def test_of_a_long_record_the_part_around_its_fault_is_shown() -> None:
    text = "x" * 5000 + "NA" + "y" * 5000
    record, caret = caret_lines(a_paper(80), text, 5000, 5002)
    assert len(record) <= 80
    assert record[caret.index("^") : caret.index("^") + 2] == "NA"
    assert caret.count("^") == 2


def test_without_a_fault_there_is_no_caret() -> None:
    assert list(caret_lines(a_paper(), "a", None, None)) == ["  a"]


@given(text=st.text(max_size=80), at=st.integers(0, 80), size=st.integers(0, 9), width=st.integers(10, 60))
def test_nothing_that_is_shown_can_be_obeyed_and_no_line_is_wider_than_asked(
    text: str, at: int, size: int, width: int
) -> None:
    start = min(at, len(text))
    for line in caret_lines(a_paper(width), text, start, min(start + size, len(text))):
        assert safe_text(line) == line
        assert width_of(line) <= width + 7  # one character may take ten columns as a code
