"""Made-up CSV files of twelve mixed columns, fast to write and the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

CHUNK_ROWS = 10_000
_START = np.datetime64("2025-01-01T00:00:00", "us")
_WORDS = pa.array(["alpha", "bravo", "connection reset by peer", "user logged in", "timeout, retried", 'said "no"', ""])


def write_csv(path: Path, size: int, seed: int) -> int:
    """A file of about `size` bytes; how many rows it has."""
    rows = 0
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        while file.tell() < size:
            chunk = _chunk(random, rows)
            options = pa.csv.WriteOptions(include_header=rows == 0, quoting_style="needed")
            pa.csv.write_csv(chunk, file, options)
            rows += chunk.num_rows
    return rows


def write_small_csv(path: Path, rows: int, seed: int) -> None:
    """A file of few rows."""
    chunk = _chunk(np.random.default_rng(seed), 0, rows)
    pa.csv.write_csv(chunk, path, pa.csv.WriteOptions(quoting_style="needed"))


def _chunk(random: np.random.Generator, first: int, rows: int = CHUNK_ROWS) -> pa.Table:
    seconds = random.integers(0, 30_000_000, rows)
    note = _WORDS.take(pa.array(random.integers(0, len(_WORDS), rows)))
    return pa.table(
        {
            "id": np.arange(first + 1, first + 1 + rows),
            "at": pa.array(_START + seconds * np.timedelta64(1, "s")).cast(pa.timestamp("s")),
            "host": pc.binary_join_element_wise("host", pa.array(random.integers(0, 400, rows)).cast("string"), "-"),
            "source_port": random.integers(1024, 65536, rows),
            "bytes_sent": random.integers(0, 10**9, rows),
            "bytes_received": random.integers(0, 10**6, rows),
            "duration": np.round(random.exponential(3.0, rows), 4),
            "score": np.round(random.normal(0.0, 100.0, rows), 6),
            "is_blocked": random.integers(0, 2, rows) == 1,
            "day": pa.array((_START + seconds * np.timedelta64(1, "s")).astype("datetime64[D]")),
            "user": pc.binary_join_element_wise("user", pa.array(random.integers(0, 10**6, rows)).cast("string"), "_"),
            "note": note,
        }
    )
