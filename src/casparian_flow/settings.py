"""Typed settings, where each value came from, and where a home keeps its things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec


@dataclass(frozen=True, slots=True)
class Home:
    """One home: everything that Casparian keeps, in one folder that can be sealed and moved."""

    path: Path

    @property
    def state(self) -> Path:
        """The control database."""
        return self.path / "state.sqlite3"

    @property
    def lock(self) -> Path:
        """Held by the one process that may change state; it names the holder."""
        return self.path / "lock"

    @property
    def config(self) -> Path:
        """The settings of this home."""
        return self.path / "config.toml"

    @property
    def staging(self) -> Path:
        """Rows of jobs that are not yet sealed."""
        return self.path / "staging"

    @property
    def plugins(self) -> Path:
        """Parsers that a person put here; pending until approved."""
        return self.path / "plugins"

    @property
    def default_sink(self) -> str:
        """Parquet in the home itself: its `outputs/` and `quarantine/`."""
        return f"parquet://{self.path}"


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How jobs run."""

    workers: int = 0
    """Parser processes at once; 0 means one per core."""
    job_seconds: float = 3600.0
    """After this long a job is stopped."""
    memory_mb: int = 2048
    """Address space of one parser process."""


class GovernanceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What needs a person."""

    first_contract: str = "adopt"
    """`adopt` takes the drafted contract of a new table at once, `hold` waits for `contract approve`."""
    tolerance: float = 1.0
    """The share of a file's rows that may be quarantined before the file is held; 1.0 never holds."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings of one home."""

    run: RunSettings = RunSettings()
    governance: GovernanceSettings = GovernanceSettings()
