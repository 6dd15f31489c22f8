"""Where a sentinel listens: `ipc:///path/of/a/socket` on one machine, `tcp://host:port` between machines."""

from __future__ import annotations

import re
from pathlib import Path

from casparian_flow.core.errors import UsageError

_TCP = re.compile(r"tcp://(\*|\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s:/@\[\]*]+):(\d{1,5})")
LONGEST_PATH = 100
"""Of a socket in bytes; the systems' own limits lie a little above."""


def is_tcp(endpoint: str) -> bool:
    """Whether it leads to other machines; raises UsageError if it is neither kind."""
    if _TCP.fullmatch(endpoint):
        host_and_port(endpoint)
        return True
    socket_path(endpoint)
    return False


def socket_path(endpoint: str) -> Path:
    """The path of an `ipc://` endpoint; raises UsageError if it is none."""
    path = endpoint.removeprefix("ipc://")
    if path == endpoint or not path.startswith("/") or "\0" in path:
        raise UsageError(
            f"{endpoint!r} is no address for workers", fix="write tcp://HOST:PORT, or ipc:// and an absolute path"
        )
    if len(path.encode()) > LONGEST_PATH:
        raise UsageError("the path of a socket is too long", where=path, why=f"more than {LONGEST_PATH} bytes")
    return Path(path)


def host_and_port(endpoint: str) -> tuple[str, int]:
    """The parts of a `tcp://` endpoint; raises UsageError if it is none."""
    if (tcp := _TCP.fullmatch(endpoint)) is None or int(tcp[2]) >= 1 << 16:
        raise UsageError(f"{endpoint!r} is no address that other machines reach", fix="write tcp://HOST:PORT")
    return tcp[1], int(tcp[2])
