"""The text of JSON: where its brackets, commas and colons are, and whether it is JSON at all; needs numpy."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

_QUOTE, _OPEN, _CLOSE, _OTHER = 1, 2, 3, 4
_KINDS = np.zeros(256, np.uint8)
for _chars, _kind in ((b'"', _QUOTE), (b"{[", _OPEN), (b"}]", _CLOSE), (b",:", _OTHER)):
    _KINDS[list(_chars)] = _kind


def structure(chars: NDArray[np.uint8]) -> tuple[Int64s, NDArray[np.uint8], Int64s]:
    """Offsets of the brackets, commas and colons outside of strings, these characters, and the depth behind each.

    The text begins outside of a string at depth 0; it may end anywhere.
    """
    at = np.flatnonzero(_KINDS[chars])
    kinds = _KINDS[chars[at]]
    is_quote = kinds == _QUOTE
    escapes = np.flatnonzero(chars == ord("\\"))
    if len(escapes):
        is_quote &= ~np.isin(at, _escaped(escapes), assume_unique=True)
    is_outside = (np.cumsum(is_quote) & 1 == 0) & (kinds != _QUOTE)
    at, kinds = at[is_outside], kinds[is_outside]
    depth = np.cumsum((kinds == _OPEN).astype(np.int64) - (kinds == _CLOSE))
    return at, chars[at], depth


def _escaped(backslashes: Int64s) -> Int64s:
    """Offsets of the characters that an odd run of backslashes escapes."""
    first = np.flatnonzero(np.concatenate(([True], np.diff(backslashes) != 1)))
    length = np.diff(np.append(first, len(backslashes)))
    escaped: Int64s = (backslashes[first] + length)[length % 2 == 1]
    return escaped


def is_json_with_huge_numbers(text: str) -> bool:
    """Whether a text is JSON, however large its numbers; a surrogate without its partner is no text."""
    try:
        value = json.loads(text, parse_int=len, parse_float=len, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
