"""What a cell looks like is told without a match where its marks are in no kind, and that says the same."""

from __future__ import annotations

import random
import sys

import delimited_support

VALUES = [
    b"-1,234,567.89e+5",
    b"2024-01-02T03:04:05,123 +02:00",
    b"12 Jan 2024 ",
    b" 10:22:33,44 P.M.",
    b"$ 1,234,567.56",
    b"\xe2\x82\xac 1,2,3.4",
    b"1.234,5 %",
    b'http://a/b;c|,,"d',
    b"aa:bb:cc:dd:ee:ff",
    b"{01234567-89ab-cdef-0123-456789abcdef}",
    b"a.b+c@d-e.f_g",
    b"ABC-123-9A",
    b"unknown",
    b"10.0.0.1:80",
]
MARKS = b"0,.'eE+- \t\n/:%@{}_aZ\"|;#\\\xc2\xa3"


def test_a_cell_with_marks_that_no_kind_has_is_what_the_patterns_say():
    assert str(delimited_support.FOLDER) in sys.path
    import delimited_kinds as kinds

    chance = random.Random(11)
    for _ in range(4000):
        cell = chance.choice(VALUES)
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(cell) + 1)
            cell = cell[:at] + bytes([chance.choice(MARKS)]) + cell[at + chance.randrange(2) :]
        found = kinds._KINDS.fullmatch(cell)
        empty = kinds.is_missing(cell) or cell.isspace()
        pattern = found.lastgroup if found is not None else kinds.EMPTY if empty else kinds.TEXT
        assert kinds.kind_of_shape(cell) == pattern, cell
