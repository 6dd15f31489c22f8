"""Accounts for every byte of the file: each belongs to exactly one thing."""

from __future__ import annotations

from collections import Counter


class Ledger:
    """Bytes by what became of them."""

    def __init__(self) -> None:
        self._bytes: Counter[str] = Counter()

    def mark(self, what: str, start: int, end: int) -> None:
        """The bytes `[start, end)` of the file are `what`."""
        self._bytes[what] += end - start

    def total(self) -> int:
        """All bytes accounted for."""
        return sum(self._bytes.values())

    def __str__(self) -> str:
        return ", ".join(f"{what} {count}" for what, count in sorted(self._bytes.items()) if count)
