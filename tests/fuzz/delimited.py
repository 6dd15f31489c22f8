"""Delimited text: both readers of the parser must say the same, and every byte must be somewhere."""

from __future__ import annotations

from itertools import pairwise

from delimited_support import FOLDER, Outcome, read_delimited

from .target import Target, scratch

_PLACE = scratch()
MAX_BYTES = 1 << 14


def check(data: bytes) -> None:
    """Whatever the bytes are: no error, the same rows and rejections from both readers, every byte in one span."""
    data = data[:MAX_BYTES]
    path = _PLACE / "data.csv"
    path.write_bytes(data)
    fast, exact = read_delimited(path), read_delimited(path, vectorised=False)
    assert fast.tables == exact.tables, "the readers disagree about rows"
    assert fast.rejected == exact.rejected, "the readers disagree about rejections"
    for outcome in (fast, exact):
        assert_conserved(outcome, data)


def assert_conserved(outcome: Outcome, data: bytes) -> None:
    """Every byte is in exactly one span; rows and rejections lie in spans of their own kind, in order."""
    position = 0
    for start, end, what in sorted(outcome.spans):
        assert start == position, f"{what} starts at {start}, expected {position}"
        position = end
    assert position == len(data)
    places = [(start, end) for table in outcome.tables.values() for _, start, end in table.places]
    places += [(each.start, each.end) for each in outcome.rejected if each.start is not None and each.end is not None]
    places.sort()
    assert all(start < end for start, end in places)
    assert all(one[1] <= other[0] for one, other in pairwise(places)), "two records share bytes"
    for each in outcome.rejected:
        assert each.raw is None or data[each.start : each.end].startswith(each.raw), "a rejection keeps other bytes"


def seeds() -> list[bytes]:
    """The inputs of the parser's cases, and small tables in other encodings."""
    found = [case.read_bytes() for case in sorted(FOLDER.glob("cases/*/input.csv"))]
    text = 'id;name;said\r\n1;Zoë;"a ""b"" c"\r\n2;Ø;"two\r\nlines"\r\n3;x\r\n'
    return [*found, *(text.encode(encoding) for encoding in ("utf-16", "utf-16-be", "utf-32", "cp1252", "utf-8-sig"))]


TARGET = Target(
    law="nothing is raised; the vectorised and the exact reader agree; every byte is in exactly one span",
    check=check,
    seeds=seeds,
)
