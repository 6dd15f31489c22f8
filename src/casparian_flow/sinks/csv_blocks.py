"""Cuts a CSV file of ours into blocks of whole records, hashing it on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from blake3 import blake3

from casparian_flow.core.errors import VerificationFailed
from casparian_flow.core.hashing import PREFIX

BLOCK_BYTES = 4 << 20
_QUOTE, _LINE_FEED = 0x22, 0x0A


def whole_records(path: Path, header: bytes, digest: str) -> Iterator[bytes]:
    """Blocks that end where a record ends; the header line is left out.

    A block is as large as the largest record in it, at least. Raises VerificationFailed for a file that is missing,
    has another header or, once all of it was read, another digest.
    """
    hasher = blake3()
    try:
        with path.open("rb") as file:
            first = file.read(len(header))
            if first != header:
                raise VerificationFailed(
                    "a data file has other columns than its schema",
                    where=str(path),
                    why=first[:200].decode("utf-8", "backslashreplace"),
                )
            hasher.update(first)
            rest = b""
            while data := file.read(max(BLOCK_BYTES, len(rest))):
                hasher.update(data)
                rest += data
                if end := last_end(rest):
                    yield rest[:end]
                    rest = rest[end:]
    except FileNotFoundError as exc:
        raise VerificationFailed("a file that a commit names is missing", where=str(path)) from exc
    except OSError as exc:
        raise VerificationFailed("a data file cannot be read", where=str(path), why=str(exc)) from exc
    found = PREFIX + hasher.hexdigest()
    if rest or found != digest:
        raise VerificationFailed(
            "a data file is not as it was sealed",
            where=str(path),
            why="its last record has no end" if rest else f"its digest is {found}, sealed was {digest}",
        )


def last_end(data: bytes) -> int:
    """How many bytes the whole records at the start of `data` have, 0 without one.

    A quote is only ever written to open or close a cell, or doubled inside it: after an even number of them a line
    feed ends a record.
    """
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == _LINE_FEED)
    before = np.searchsorted(np.flatnonzero(codes == _QUOTE), ends)
    outside = ends[before % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0
