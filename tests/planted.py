"""Looks for planted values in everything that a home and its targets hold, in clear and in the usual disguises."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.ipc as ipc
import pyarrow.parquet as pq


def disguises(value: str) -> set[bytes]:
    """The value as text of several encodings, as hex, and as base64 wherever it may begin in what was encoded."""
    found = set()
    for clear in (value.encode(), value.encode("utf-16-le"), value.encode("utf-16-be")):
        found |= {clear, clear.hex().encode(), clear.hex().upper().encode()}
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + clear)
            # What surrounds the value changes the first and the last sign.
            inside = encoded[-(-before * 4 // 3) : len(encoded) // 4 * 4 - 4 if len(encoded) > 8 else None]
            found |= {inside, inside.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def places_of(values: Sequence[str], roots: Iterable[Path], said: Iterable[str] = ()) -> list[str]:
    """Where any of the values stands: in the files at or below `roots`, in what they hold, or in what was said."""
    wanted = {each: value for value in values for each in disguises(value)}
    texts = [("what was said", text.encode("utf-8", "surrogateescape")) for text in said]
    held = (each for root in roots for each in _contents(root))
    return sorted(
        {f"{value} in {place}" for place, data in (*texts, *held) for each, value in wanted.items() if each in data}
    )


def _contents(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file as bytes, and those whose bytes may be compressed as the text of their values."""
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        if not path.is_file():
            continue
        data = path.read_bytes()
        yield str(path), data
        yield f"the name of {path}", str(path.relative_to(root)).encode()
        if data[:4] == b"PAR1":
            yield f"rows of {path}", repr(pq.read_table(path).to_pylist()).encode()
        elif data[8:12] == b"DUCK":
            with closing(duckdb.connect(path, read_only=True)) as database:
                for (name,) in database.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                    rows = database.execute(f'SELECT * FROM "{name}"').fetchall()
                    yield f"{name} in {path}", repr(rows).encode()
        elif data[:15] == b"SQLite format 3":
            with closing(sqlite3.connect(path)) as lite:
                for (name,) in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    yield f"{name} in {path}", repr(lite.execute(f'SELECT * FROM "{name}"').fetchall()).encode()
        elif data[:6] == b"ARROW1":
            yield f"rows of {path}", repr(ipc.open_file(path).read_all().to_pylist()).encode()
