"""Two small files with what targets store differently: text over two lines, nulls, a bad record, nested values."""

from __future__ import annotations

import json
from pathlib import Path


def some_files(folder: Path) -> Path:
    """The folder, made with one of each."""
    folder.mkdir()
    (folder / "sales.csv").write_text(
        'id,amount,day,said\n1,1.50,2024-02-29,"two\nlines, ""quoted"""\n2,,2024-03-01,\n3,0.25,2024-03-02,""\n'
        "4,1,2,3,4,5\n"
    )
    rows = [{"n": n, "tags": ["a", None], "who": {"name": "x", "age": n / 3}} for n in range(3)]
    (folder / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
