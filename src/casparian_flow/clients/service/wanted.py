"""What a person wants of a sentinel that they start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person wants of the sentinel; without numbers, what the settings say.

    `listen` is where other machines ask, and `names` are those that they know it by; `workers_listen` is where workers
    of other machines join.
    """

    workers: int | None = None
    drain_seconds: float | None = None
    listen: tuple[str, int] | None = None
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    workers_listen: tuple[str, int] | None = None
