"""What carries messages between a sentinel and its workers, whatever carries them.

A message may be lost on the way, and come late, but comes whole, and in order as long as a connection lasts. One thread
owns each end and calls everything but `wake`, which any thread may call.
"""

from __future__ import annotations

from typing import Protocol


class Router(Protocol):
    """The sentinel's end. A peer is known by the identity that its connection carries."""

    def receive(self, timeout: float) -> tuple[bytes, bytes] | None:
        """The next message and who sent it; None if none came within so many seconds, or somebody called `wake`."""
        ...

    def send(self, peer: bytes, data: bytes) -> bool:
        """Sends without waiting; False if nobody is connected under that identity.

        True promises nothing more: a peer that does not read loses messages.
        """
        ...

    def name_of(self, peer: bytes) -> str | None:
        """The worker name that this peer has proven with its key; None if its word must do (it is on this machine)."""
        ...

    def wake(self) -> None:
        """Ends the `receive` that waits, or else the next one."""
        ...

    def close(self) -> None:
        """Gives every connection up; what was not sent yet is lost."""
        ...


class Dealer(Protocol):
    """A worker's end."""

    def receive(self, timeout: float) -> bytes | None:
        """The sentinel's next message; None if none came within so many seconds, or somebody called `wake`."""
        ...

    def send(self, data: bytes) -> None:
        """Sends without waiting. While the sentinel cannot be reached, messages are kept up to a limit, then lost."""
        ...

    def wake(self) -> None:
        """Ends the `receive` that waits, or else the next one."""
        ...

    def close(self) -> None:
        """Gives the connection up, after a short time for what was not sent yet."""
        ...
