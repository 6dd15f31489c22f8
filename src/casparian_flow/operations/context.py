"""What an operation is given besides its request: a view to read from, or the right to act."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from casparian_flow.settings import Home, Settings

if TYPE_CHECKING:  # who only names these must not wait for them
    from sqlalchemy import Connection

    from casparian_flow.sentinel.drive import Workers
    from casparian_flow.sentinel.recovery import Recovered
    from casparian_flow.sinks.base import Sink
    from casparian_flow.store.database import Database


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """The right to change one home: its lock is held and what a crash left is put right.

    `workers` opens so many local workers; `clock` gives nanoseconds since 1970; `actor` is the person's login name.
    """

    home: Home
    settings: Settings
    database: Database
    cwd: Path
    clock: Callable[[], int]
    actor: str
    report: Report
    recovered: Recovered
    open_sink: Callable[[str], Sink]
    workers: Callable[[int], AbstractContextManager[Workers]]
