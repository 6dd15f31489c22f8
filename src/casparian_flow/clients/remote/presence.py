"""Finds the sentinel that holds a home, if there is one."""

from __future__ import annotations

from pathlib import Path

from casparian_flow.clients.remote.endpoint import SocketEndpoint
from casparian_flow.core.presence import Presence, decode
from casparian_flow.settings import Home

LARGEST = 1 << 16


def sentinel_of(home: Home) -> Presence | None:
    """The sentinel that holds the home; None where none does, also when one was killed and its file is left."""
    try:
        with home.sentinel.open("rb") as file:
            data = file.read(LARGEST)
    except OSError:
        return None
    presence = decode(data, str(home.sentinel))
    return presence if SocketEndpoint(Path(presence.control)).peer() == presence.pid else None
