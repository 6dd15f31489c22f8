"""The door to a home that no sentinel serves: operations run in this process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from casparian_flow.clients.control import Control
from casparian_flow.operations.context import Report
from casparian_flow.operations.reading import open_reading
from casparian_flow.settings import Home, Settings


def open_control(home: Home, settings: Settings, cwd: Path) -> Control:
    """A control that reads beside whoever works in the home, and acts under its lock."""

    def acting(report: Report) -> AbstractContextManager[Any]:
        # Parsers, sinks and workers are heavy, and no command that only reads has a use for them.
        from casparian_flow.wiring import open_acting

        return open_acting(home, settings, cwd, report)

    return Control(partial(open_reading, home, settings, cwd), acting)
