"""Text from files cannot act on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.core.text import safe_text

ANY = st.text(st.characters(categories=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ascii, ünïcödé, 日本語, 👍", "plain ascii, ünïcödé, 日本語, 👍"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]52;c;AAAA\x07", "\\x1b]52;c;AAAA\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\tb\r\nc", "a\\tb\\r\\nc"),
        ("nul\x00", "nul\\x00"),
        ("del\x7f", "del\\x7f"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066iso\u2069", "\\u2066iso\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028sep", "line\\u2028sep"),
        ("tag\U000e0041", "tag\\ue0041"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_could_act_is_shown_as_a_code(text, shown):
    assert safe_text(text) == shown


@given(ANY)
def test_no_control_surrogate_or_bidi_character_survives(text):
    shown = safe_text(text)
    assert all(unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") for char in shown)
    assert all(
        unicodedata.bidirectional(char) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        for char in shown
    )
    shown.encode()


@given(ANY)
def test_making_text_safe_twice_changes_nothing(text):
    assert safe_text(safe_text(text)) == safe_text(text)
