"""Messages between a sentinel and workers that are threads of the same process."""

from __future__ import annotations

import queue
from threading import Lock
from typing import TypeVar

T = TypeVar("T")


class InProcessRouter:
    """The sentinel's end. `connect` makes a worker's end; both may be used from any thread."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        self._peers: dict[bytes, InProcessDealer] = {}
        self._lock = Lock()

    def connect(self, identity: bytes) -> InProcessDealer:
        """A new end under that identity. An older one of the same identity gets nothing any more."""
        dealer = InProcessDealer(self, identity)
        with self._lock:
            self._peers[identity] = dealer
        return dealer

    def receive(self, timeout: float) -> tuple[bytes, bytes] | None:
        """The next message and its sender, or None."""
        return _take(self._inbox, timeout)

    def send(self, peer: bytes, data: bytes) -> bool:
        """False if no end of that identity is open."""
        with self._lock:
            dealer = self._peers.get(peer)
        if dealer is None:
            return False
        dealer.inbox.put(data)
        return True

    def name_of(self, peer: bytes) -> str | None:
        """None: a thread of this process is believed."""
        return None

    def wake(self) -> None:
        """Ends the `receive` that waits, or else the next one."""
        self._inbox.put(None)

    def close(self) -> None:
        """Nobody is connected any more."""
        with self._lock:
            self._peers.clear()

    def deliver(self, sender: InProcessDealer, data: bytes) -> None:
        """Takes a message in, unless that end has been closed or replaced."""
        with self._lock:
            if self._peers.get(sender.identity) is sender:
                self._inbox.put((sender.identity, data))

    def disconnect(self, dealer: InProcessDealer) -> None:
        """Forgets an end; one that has been replaced leaves its successor alone."""
        with self._lock:
            if self._peers.get(dealer.identity) is dealer:
                del self._peers[dealer.identity]


class InProcessDealer:
    """A worker's end."""

    def __init__(self, router: InProcessRouter, identity: bytes) -> None:
        self.identity = identity
        self.inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._router = router

    def receive(self, timeout: float) -> bytes | None:
        """The sentinel's next message, or None."""
        return _take(self.inbox, timeout)

    def send(self, data: bytes) -> None:
        """Lost if this end has been closed or replaced."""
        self._router.deliver(self, data)

    def wake(self) -> None:
        """Ends the `receive` that waits, or else the next one."""
        self.inbox.put(None)

    def close(self) -> None:
        """Nothing reaches this end any more, or comes from it."""
        self._router.disconnect(self)


def _take(inbox: queue.SimpleQueue[T | None], timeout: float) -> T | None:
    try:
        return inbox.get(timeout=timeout) if timeout > 0 else inbox.get_nowait()
    except queue.Empty:
        return None
