"""One large file: the memory of host and guests together does not grow with it."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.csv_data import write_csv
from benchmarks.timing import MB, casparian, workspace

BAR = 1024


def main(quick: bool, _rounds: int) -> None:
    for kind, size, write in (("CSV", 2048 * MB, write_csv), ("JSONL", 400 * MB, write_jsonl)):
        with workspace() as folder:
            path = folder / f"large.{kind.lower()}"
            rows = write(path, size // 20 if quick else size, 1)
            run = casparian(folder / "home", "run", str(path))
            assert run.json["accepted"] == rows, run.out
            peak = run.peak_bytes // MB
            print(
                f"{kind}: {path.stat().st_size // MB} MB, {rows:,} rows in {run.seconds:.1f} s,"
                f" peak {peak} MB (bar {BAR} MB: {'met' if peak <= BAR else 'missed'})"
            )


def write_jsonl(path: Path, size: int, _seed: int) -> int:
    """A file of about `size` bytes; how many rows it has."""
    rows = 0
    with path.open("w") as file:
        while file.tell() < size:
            for number in range(rows, rows + 10_000):
                line = {
                    "id": number,
                    "at": f"2025-03-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:00Z",
                    "user": f"user_{number * 7919 % 100_003}",
                    "bytes": number * 104_729 % 10**9,
                    "ratio": number % 1000 / 8,
                    "detail": {"code": number % 17, "tags": ["a", str(number % 5)]},
                }
                file.write(json.dumps(line) + "\n")
            rows += 10_000
    return rows
