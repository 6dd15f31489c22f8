"""Made-up JSON Lines with nested values, the same every time."""

from __future__ import annotations

import json
from pathlib import Path

_BLOCK_ROWS = 10_000


def write_jsonl(path: Path, size: int) -> int:
    """A file of about `size` bytes; how many rows it has."""
    rows = 0
    with path.open("w") as file:
        while file.tell() < size:
            file.writelines(map(_line, range(rows, rows + _BLOCK_ROWS)))
            rows += _BLOCK_ROWS
    return rows


def write_small_jsonl(path: Path, rows: int, first: int) -> None:
    """A file of few rows, numbered from `first`."""
    path.write_text("".join(map(_line, range(first, first + rows))))


def _line(number: int) -> str:
    line = {
        "id": number,
        "at": f"2025-03-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z",
        "user": f"user_{number * 7919 % 100_003}",
        "bytes": number * 104_729 % 10**9,
        "ratio": number % 1000 / 8,
        "detail": {"code": number % 17, "tags": ["a", str(number % 5)]},
    }
    return json.dumps(line) + "\n"
