"""What an operation is given that must work while the home's database or settings do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.settings import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A place on this machine. `overrides` are the settings given on the command line, `case` the case folder."""

    home: Home
    case: Path | None
    env: Mapping[str, str]
    overrides: Mapping[str, str]
    cwd: Path
    now_ns: int
