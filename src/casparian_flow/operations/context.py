"""What an operation is given besides its request: a view to read from, or the right to act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.settings import Home, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A read-only view of one home; `connection` cannot write. `cwd` is where the asker stands."""

    home: Home
    settings: Settings
    connection: Connection
    cwd: Path
    now_ns: int


Report = Callable[[str, dict[str, object]], None]
"""Progress as it happens: an event name, `noun.verb` in the past, and its values. It must return quickly."""
