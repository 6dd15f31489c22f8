"""Many small files from end to end: how many land each second, each with its own job, receipt and commit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.csv_data import write_small_csv
from benchmarks.timing import Measured, casparian, workspace

BAR = 500
ROWS = 24


def main(quick: bool, rounds: int) -> None:
    count = 1_000 if quick else 10_000
    for kind, write in (("CSV", _write_csv), ("JSONL", _write_jsonl)):
        with workspace() as folder:
            (folder / "files").mkdir()
            size = 0
            for number in range(count):
                size += write(folder / "files", number)
            print(f"\n{count:,} {kind} files of {size / count / 1000:.1f} kB")
            for _round in range(rounds):
                shutil.rmtree(folder / "home", ignore_errors=True)
                _print(casparian(folder / "home", "run", str(folder / "files")), count)


def _print(run: Measured, count: int) -> None:
    assert run.json["completed"] == count, run.out
    speed = count / run.seconds
    print(
        f"{run.seconds:7.1f} s, {speed:6.0f} files/s, {run.cpu_seconds / count * 1000:.1f} ms of CPU per file,"
        f" peak {run.peak_bytes >> 20} MB (bar {BAR} files/s: {'met' if speed >= BAR else 'missed'})"
    )


def _write_csv(folder: Path, number: int) -> int:
    path = folder / f"flows_{number:05}.csv"
    write_small_csv(path, ROWS, seed=number)
    return path.stat().st_size


def _write_jsonl(folder: Path, number: int) -> int:
    path = folder / f"events_{number:05}.jsonl"
    lines = (
        {"id": number * ROWS + at, "at": f"2025-03-01T{at % 24:02}:00:00Z", "user": f"user {at}", "tags": ["a", at],
         "detail": {"code": at, "text": "connection reset by peer"}}
        for at in range(ROWS)
    )  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path.stat().st_size
