"""How the sentinel tells of what happens: the name of an event, and its values."""

from __future__ import annotations

from collections.abc import Callable

Notify = Callable[[str, dict[str, object]], None]
