"""The one way in which each digest is computed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from blake3 import blake3

PREFIX = "blake3:"
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
SHORT_HASH = 12
"""Digits of a source's hash that stand in a note, where the source is known by nothing else."""


def digest_of(*parts: bytes) -> str:
    """`blake3:` and the hex digest of the parts one after another."""
    hasher = blake3()
    for part in parts:
        hasher.update(part)
    return PREFIX + hasher.hexdigest()


def canonical_json(value: Any) -> str:
    """The one JSON text of a plain value: sorted keys, no spaces."""
    return _CANONICAL.encode(value)


def digest_of_json(value: Any) -> str:
    """The digest of a plain value's canonical JSON in UTF-8."""
    return digest_of(canonical_json(value).encode())


def digest_of_manifest(files: Iterable[tuple[str, bytes]]) -> str:
    """The digest of a set of named files: their sorted (path, size, digest) triples, never a concatenation."""
    return digest_of_json(sorted([name, len(data), digest_of(data)] for name, data in files))


def digest_of_file(path: Path) -> str:
    """The digest of a file's bytes, read through a memory map on several threads."""
    return PREFIX + blake3(max_threads=blake3.AUTO).update_mmap(path).hexdigest()
