"""What the delimited parser makes of a file, as the lines of `expected.jsonl`."""

from __future__ import annotations

import json
from pathlib import Path

from delimited_support import FOLDER, read_delimited

CASES = FOLDER / "cases"


def case_lines(path: Path) -> list[str]:
    """One JSON object per row and per rejection, in the order of the file."""
    outcome = read_delimited(path)
    found = []
    for output, table in outcome.tables.items():
        for row, (number, start, _) in zip(table.rows, table.places, strict=True):
            found.append((start, {"_output": output, "_row": number, **dict(zip(table.names, row, strict=True))}))
    for entry in outcome.rejected:
        assert entry.start is not None
        found.append((entry.start, {"_rejected": entry.code, "_start": entry.start, "_end": entry.end}))
    return [json.dumps(item, ensure_ascii=False) for _, item in sorted(found, key=lambda pair: pair[0])]
