"""Windows event logs: copies of real ones where they are at hand, else made ones."""

from __future__ import annotations

import struct
from pathlib import Path

from tests import evtx_writer

from benchmarks.process import ROOT

SAMPLES = ROOT.parent / "shared" / "data" / "evtx"
SOUND = (
    "system.evtx",
    "security.evtx",
    "sample-with-irregular-bool-values.evtx",
    "E_Windows_system32*Shell-Core*.evtx",
)
_PADDING = 1024
"""A byte of the file header that no checksum covers and nothing reads: what makes a copy a file of its own."""
_CHUNKS, _RECORDS = 16, 60


def write_event_logs(folder: Path, size: int) -> tuple[str, int]:
    """About `size` bytes of logs in a folder; what they are copies of, and how many files there are."""
    samples = [path.read_bytes() for pattern in SOUND for path in sorted(SAMPLES.glob(pattern))]
    kind = "real logs" if samples else "made logs"
    samples = samples or [_made()]
    files = written = 0
    while written < size:
        data = bytearray(samples[files % len(samples)])
        struct.pack_into("<I", data, _PADDING, files)
        (folder / f"log_{files:04}.evtx").write_bytes(data)
        files, written = files + 1, written + len(data)
    return kind, files


def _made() -> bytes:
    firsts = range(1, _CHUNKS * _RECORDS, _RECORDS)
    chunks = [evtx_writer.chunk_of(evtx_writer.logons(_RECORDS, first), first) for first in firsts]
    return evtx_writer.log_of(chunks, next_id=_CHUNKS * _RECORDS + 1)
