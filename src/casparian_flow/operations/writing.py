"""The part of `Acting` that is enough to change rows of the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from casparian_flow.settings import Home

if TYPE_CHECKING:
    from casparian_flow.store.database import Database


class Writing(Protocol):
    """The home's database, held under its lock; `clock` gives nanoseconds since 1970."""

    @property
    def database(self) -> Database:
        """The control database."""

    @property
    def home(self) -> Home:
        """The home."""

    @property
    def cwd(self) -> Path:
        """Where the asker stands."""

    @property
    def clock(self) -> Callable[[], int]:
        """The time."""
