"""Tells a service manager how far a service is, as systemd's plain datagrams; nothing where nobody asked."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from casparian_flow import logs

SOCKET_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLE = "WATCHDOG_USEC"
WATCHED_VARIABLE = "WATCHDOG_PID"

log = logs.get_log(__name__)


class Manager:
    """Whoever started this process and wants to hear of it. A manager that went away is no reason to fail."""

    def __init__(self, env: Mapping[str, str]) -> None:
        address = env.get(SOCKET_VARIABLE, "")
        # An abstract socket is written with @ where its name begins with a zero byte.
        self._address = ("\0" + address[1:]) if address.startswith("@") else address
        self.watchdog_seconds = _watchdog(env)
        """How often it must hear WATCHDOG; None where it does not watch."""

    def ready(self, status: str) -> None:
        """The service takes requests."""
        self._tell(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for people."""
        self._tell(f"STATUS={status}")

    def reloading(self, monotonic_ns: int) -> None:
        """The settings are read again; `ready` follows."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={monotonic_ns // 1000}")

    def stopping(self, status: str) -> None:
        """The service ends."""
        self._tell(f"STOPPING=1\nSTATUS={status}")

    def alive(self) -> None:
        """The service turns."""
        self._tell("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """Give the service so much longer to end."""
        self._tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
                speaker.connect(self._address)
                speaker.send(message.encode())
        except OSError as exc:
            log.warning("manager.unreachable", where=self._address, why=str(exc))


def _watchdog(env: Mapping[str, str]) -> float | None:
    if env.get(WATCHED_VARIABLE, str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(env.get(WATCHDOG_VARIABLE, "0"))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None
