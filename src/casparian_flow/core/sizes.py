"""Sizes as people write them, and ranges of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from casparian_flow.core.errors import UsageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s?([kmgt]i?)?b?", re.IGNORECASE)
_PART = re.compile(r"(<=|>=|<|>|=)\s*([^<>=,\s][^<>=,]*)")
LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SizeRange:
    """Sizes from `least` to `most`, both included, and the text that says so."""

    least: int = 0
    most: int = LARGEST
    text: str = ""

    def holds(self, size: int) -> bool:
        """Whether a size is in the range."""
        return self.least <= size <= self.most


def parse_size(text: str) -> int:
    """Bytes from `512`, `1.5 kB`, `10MB` or `4GiB`; raises UsageError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a size", fix="a number with B, kB, MB, GB, TB or KiB, MiB, GiB, TiB")
    whole, _, fraction = found[1].partition(".")
    unit = _UNITS[(found[2] or "").lower()]
    size = int(whole) * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
    if size > LARGEST:
        raise UsageError(f"{text!r} is larger than any file")
    return size


def parse_range(text: str) -> SizeRange:
    """The range of `>1MB`, `<=10k`, `=0` or `>=1k,<1M`; raises UsageError, also for a range that holds nothing."""
    least, most, rest = 0, LARGEST, text
    for sign, value in _PART.findall(text):
        size = parse_size(value)
        rest = rest.replace(f"{sign}", "", 1).replace(value, "", 1)
        if sign in ("=", ">", ">="):
            least = max(least, size + (sign == ">"))
        if sign in ("=", "<", "<="):
            most = min(most, size - (sign == "<"))
    if rest.strip(" ,") or not text.strip():
        raise UsageError(f"{text!r} is not a condition on sizes", fix="such as '>1MB', '<=10kB' or '>=1k,<1M'")
    if least > most:
        raise UsageError(f"no size is {text!r}")
    return SizeRange(least, most, text.strip())
