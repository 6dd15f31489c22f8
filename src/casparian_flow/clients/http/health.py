"""Whether the service lives, and whether it can do work now."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from casparian_flow.operations.doing.service.doorkeeper import Doorkeeper

LONGEST_SILENCE = 10.0
"""Seconds after which a loop that did not turn counts as dead."""
LEAST_FREE_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the sentinel says of itself: seconds since its loop last turned, and how many workers are present."""

    silent_seconds: float
    workers: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Each check by its name with whether it passed; `is_ok` if all did."""

    is_ok: bool
    checks: dict[str, bool]


def live(vitals: Vitals) -> Health:
    """Whether the loop turns; a service of which this is not true must be started again."""
    return _health({"loop": vitals.silent_seconds < LONGEST_SILENCE})


def ready(vitals: Vitals, home: Path, doorkeeper: Doorkeeper) -> Health:
    """Whether work would be done now: also the database takes writes, the disk has room, and a worker is there."""
    return _health(
        {
            "loop": vitals.silent_seconds < LONGEST_SILENCE,
            "database": doorkeeper.check_writable(),
            "disk": shutil.disk_usage(home).free >= LEAST_FREE_BYTES,
            "workers": vitals.workers > 0,
        }
    )


def _health(checks: dict[str, bool]) -> Health:
    return Health(is_ok=all(checks.values()), checks=checks)
