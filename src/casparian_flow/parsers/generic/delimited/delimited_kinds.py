"""What a cell looks like: a number, a date, a code, or just text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from string import ascii_letters, whitespace

EMPTY, TEXT = "empty", "text"

_KINDS = re.compile(
    rb"""\s*(?:
    (?P<number>[-+]?(?:\d{1,3}(?:[.,'\ ]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?)
    |(?P<date>\d{4}([-/.])\d{1,2}\3\d{1,2}|\d{1,2}([-/.])\d{1,2}\4\d{2,4}|\d{1,2}[-\ ][A-Za-z]{3}[-\ ]\d{2,4})
    |(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\ ?[AaPp]\.?[Mm]\.?)?)
    |(?P<datetime>(?:\d{4}[-/.]?\d{1,2}[-/.]?\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})[T\ ]\d{1,2}:?\d{2}
        (?::?\d{2}(?:[.,]\d+)?)?(?:\ ?(?:Z|UTC|[AaPp][Mm]|[-+]\d{2}:?\d{2}))?)
    |(?P<money>[-+]?(?:\$|\xc2\xa3|\xe2\x82\xac)\ ?\d[\d.,]*|\d[\d.,]*\ ?(?:\$|\xc2\xa3|\xe2\x82\xac))
    |(?P<percent>[-+]?\d+(?:[.,]\d+)?\ ?%)
    |(?P<address>\d{1,3}(?:\.\d{1,3}){3}(?::\d+|/\d+)?|(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})
    |(?P<uuid>\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?|[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})
    |(?P<url>[a-z][a-z0-9+.-]{1,9}://\S+)
    |(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    |(?P<bool>[Tt]rue|TRUE|[Ff]alse|FALSE)
    |(?P<code>[A-Z]{1,6}[-_]?\d[\dA-Z-]*)
    )\s*""",
    re.VERBOSE,
)
_MISSING = frozenset(b"na n/a nan null none nil - -- ? . \\n #n/a missing unknown".split())


_LONGEST_MISSING = 8
_KEPT, _KEPT_BYTES = 1 << 14, 128
"""So many kinds are kept, of shapes of so many bytes at most."""
_OF_AMOUNTS = b"0123456789.,'eE+-$\xc2\xa3\xe2\x82\xac" + whitespace.encode()
_OF_KINDS = _OF_AMOUNTS + ascii_letters.encode() + b"_:/%@{}"
"""What numbers and money are made of, and all kinds but addresses of the web."""
_IN_SOME, _IN_NONE = 1, 2
_PLACE = bytes(0 if c in _OF_AMOUNTS else _IN_SOME if c in _OF_KINDS else _IN_NONE for c in range(256))
"""For each byte: in amounts, in some other kind, or in none but addresses of the web."""
_SAME_DIGITS = bytes.maketrans(b"123456789", b"000000000")


def kind_of(cell: bytes | None) -> str:
    """The kind of one cell."""
    return _KIND_OF_SHAPE[shape_of(cell)] if cell else EMPTY


def shape_of(cell: bytes) -> bytes:
    """The cell with each digit 0, which is all that matters of digits: cells of one shape are of one kind."""
    return cell.translate(_SAME_DIGITS)


def shapes_of(cells: Sequence[bytes | None]) -> list[bytes]:
    """The shapes of many cells, empty for those without text."""
    filled = [cell or b"" for cell in cells]
    shapes = b"\n".join(filled).translate(_SAME_DIGITS).split(b"\n")
    return shapes if len(shapes) == len(filled) else [shape_of(cell) for cell in filled]


def kind_of_shape(cell: bytes) -> str:
    """The kind of the cells of a shape."""
    if not cell or cell.isspace():
        return EMPTY
    if len(cell) > 400 or (len(cell) > _LONGEST_MISSING and _has_marks_of_text(cell)):
        return TEXT
    match = _KINDS.fullmatch(cell)
    if match is None or match.lastgroup is None:
        return EMPTY if is_missing(cell) else TEXT
    return match.lastgroup


def _has_marks_of_text(cell: bytes) -> bool:
    """Whether the cell has a mark, or several commas, that are in no kind; for most long cells that spares a match."""
    places = cell.translate(_PLACE)
    if _IN_NONE in places or (_IN_SOME in places and cell.count(b",") > 1):
        return b"://" not in cell
    return False


class _Kinds(dict[bytes, str]):
    """The kinds of shapes; those of usual length are kept."""

    def __missing__(self, shape: bytes) -> str:
        kind = kind_of_shape(shape)
        if len(shape) <= _KEPT_BYTES:
            if len(self) >= _KEPT:
                self.clear()
            self[shape] = kind
        return kind


_KIND_OF_SHAPE = _Kinds()


def is_missing(cell: bytes) -> bool:
    """Whether the cell is one of the usual words for nothing."""
    return len(cell) <= _LONGEST_MISSING and cell.strip().lower() in _MISSING


def column_kind(cells: Sequence[bytes | None]) -> str:
    """The one kind that nearly all filled cells of a column share, `text` if there is none."""
    return _shared_kind(shapes_of(cells))


def kinds_of_columns(columns: Sequence[Sequence[bytes | None]]) -> list[str]:
    """The same for many columns, all of them equally long."""
    count = len(columns[0]) if columns else 0
    shapes = shapes_of(list(chain.from_iterable(columns)))
    return [_shared_kind(shapes[at * count : (at + 1) * count]) for at in range(len(columns))]


def _shared_kind(shapes: list[bytes]) -> str:
    known = {shape: _KIND_OF_SHAPE[shape] for shape in set(shapes)}
    if len(set(known.values())) == 1:
        return known[shapes[0]]
    counts = Counter(map(known.__getitem__, shapes))
    counts.pop(EMPTY, None)
    total = sum(counts.values())
    if not total:
        return EMPTY
    kind, most = counts.most_common(1)[0]
    return kind if most >= 0.8 * total else TEXT
