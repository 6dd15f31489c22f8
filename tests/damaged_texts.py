"""Hypothesis strategies for delimited text with any kind of damage: a grammar of files, and of what happens to them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

CELL = st.one_of(
    st.sampled_from(
        ["", "1", "23", "4.5", "2024-01-02", "text", "a b", "é", "x,y", "p;q", 'say "hi"', "two\nlines", "#c"]
    ),
    st.text(alphabet="ab1 ,;\"'\n\r\t\\é|#", max_size=6),
)
DAMAGE = st.sampled_from(
    ["", "", "", "", '"', ",", "\n", "\r", "\n\n", "\r\n", "\x00", "#", "a,b\n", '"\n', ' "', "\ufeff"]
)


def quoted(cell: str, quote: str) -> str:
    return quote + cell.replace(quote, quote * 2) + quote


@st.composite
def damaged_texts(draw: Callable) -> str:
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    quote = draw(st.sampled_from(['"', '"', "'"]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    width = draw(st.integers(1, 5))
    lines = []
    for _ in range(draw(st.integers(0, 14))):
        cells = draw(st.lists(CELL, min_size=width, max_size=width))
        unsafe = [any(mark in cell for mark in (delimiter, quote, "\n", "\r")) for cell in cells]
        lines.append(delimiter.join(quoted(c, quote) if u else c for c, u in zip(cells, unsafe, strict=True)))
    text = end.join(lines) + draw(st.sampled_from(["", end]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(DAMAGE) + text[at:]
    return text


ENCODINGS = st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "latin-1"])


@st.composite
def damaged_files(draw: Callable) -> bytes:
    """The bytes of one file: damaged text in some encoding, ragged, with mixed line ends, junk, NUL, or cut short."""
    data = draw(damaged_texts()).encode(draw(ENCODINGS), "replace")
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data = (
            data[:at]
            + draw(st.sampled_from([b"\0", b"\xff", b"\xc3", b"\r", b'"', b"\n,\n", b"a,b,c,d,e,f\n"]))
            + data[at:]
        )
    return data[: len(data) - draw(st.sampled_from([0, 0, 0, 1, 2, 7]))]
