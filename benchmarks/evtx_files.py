"""EVTX to Parquet: a run beside a bare script of two processes over the same event logs."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from benchmarks.timing import MB, ROOT, Measured, Rounds, Skipped, casparian, python, workspace

SAMPLES = ROOT.parent / "shared" / "data" / "evtx"
SOUND = (
    "system.evtx",
    "security.evtx",
    "sample-with-irregular-bool-values.evtx",
    "E_Windows_system32*Shell-Core*.evtx",
)
BARS = {"first run": 0.8}
_PADDING = 1024
"""A byte of the file header that no checksum covers and nothing reads: what makes a copy a file of its own."""


def main(quick: bool, rounds: int) -> None:
    samples = [path for pattern in SOUND for path in sorted(SAMPLES.glob(pattern))]
    if not samples:
        raise Skipped(f"no event logs in {SAMPLES}")
    with workspace() as folder:
        logs = folder / "logs"
        logs.mkdir()
        files, size = _copy(samples, logs, 20 * MB if quick else 200 * MB)
        print(f"{files} event logs, {size // MB} MB in all, copies of {len(samples)} real ones")
        records = _compare(folder, logs, rounds, files, size)
        print(f"{records:,} records")


def _copy(samples: list[Path], logs: Path, size: int) -> tuple[int, int]:
    files = written = 0
    while written < size:
        data = bytearray(samples[files % len(samples)].read_bytes())
        struct.pack_into("<I", data, _PADDING, files)
        (logs / f"log_{files:04}.evtx").write_bytes(data)
        files, written = files + 1, written + len(data)
    return files, written


def _compare(folder: Path, logs: Path, rounds: int, files: int, size: int) -> int:
    def ours(_round: int) -> Measured:
        shutil.rmtree(folder / "home", ignore_errors=True)
        run = casparian(folder / "home", "run", str(logs))
        assert run.json["completed"] == files, run.out
        return run

    def peer(_round: int) -> Measured:
        shutil.rmtree(folder / "peer", ignore_errors=True)
        return python("benchmarks.evtx_peer", str(logs), str(folder / "peer"))

    sides = Rounds({"bare script": peer, "first run": ours})
    sides.run(rounds)
    records = int(sides.measured["bare script"][0].out)
    accepted = next(t["accepted"] for t in sides.measured["first run"][0].json["tables"] if t["table"] == "evtx_events")
    assert accepted == records, f"{accepted} rows of ours, {records} of the script"
    sides.report("bare script", BARS, size, "records", records)
    return records
