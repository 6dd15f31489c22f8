"""The workers that are here: one session per boot of a worker, with what it can do and how much it can take."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from casparian_flow.protocol.bodies import Cast, Identify, Parse

REMEMBERED = 10_000
"""Boot nonces whose last sequence number is kept, so that nothing old is taken in twice."""
LONGEST_NAME = 190
"""Of a name that gets a number behind it: with that it still fits into a message."""
ALIVE_NS = 3_000_000_000
"""A worker that was heard within this time is there."""


@dataclass(slots=True)
class Sent:
    """An order on its way: not lost for sure until the worker has seen a later message and does not name its jobs."""

    seq: int
    order: Parse | Cast


@dataclass(slots=True)
class Session:
    """One boot of one worker. `seen` is the last of our messages that it took in, `free` its slots at that moment."""

    peer: bytes
    nonce: str
    name: str
    profile: Identify
    heard_ns: int
    free: int = 0
    seen: int = 0
    is_draining: bool = False
    is_connected: bool = True
    sent: dict[int, Sent] = field(default_factory=dict)
    casts: deque[int] = field(default_factory=deque)
    """Surveyed groups, by their leader, of which only this worker has the rows and all tables are chosen."""
    misses: int = 0
    """Orders in a row that never arrived."""
    returned: int = 0
    """Attempts in a row that it gave back."""
    written_ns: int = 0
    claims: int = 0
    """How often it was looked whether there is a job for it."""
    asked_at: tuple[int, int] = (-1, 0)
    """The state of the queue in which there was nothing for it, and until when that holds."""

    @property
    def room(self) -> int:
        """How many more orders it can take."""
        return self.free - sum(1 for seq in self.sent if seq > self.seen)

    @property
    def is_present(self) -> bool:
        """Whether it may be given work."""
        return self.is_connected and not self.is_draining


class Sessions:
    """Every session by peer, and the last sequence number of every nonce that was heard lately."""

    def __init__(self) -> None:
        self._by_peer: dict[bytes, Session] = {}
        self._by_nonce: dict[str, Session] = {}
        self._by_name: dict[str, Session] = {}
        self._last_seq: OrderedDict[str, int] = OrderedDict()
        self.removed: set[str] = set()
        """Boots that a person does not want any more."""

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_peer.values()))

    def __len__(self) -> int:
        return len(self._by_peer)

    def is_new(self, nonce: str, seq: int) -> bool:
        """Whether a message of that number was not taken in yet, nor a later one; it counts as taken in from now on."""
        if seq <= self._last_seq.get(nonce, 0):
            return False
        self._last_seq[nonce] = seq
        self._last_seq.move_to_end(nonce)
        if len(self._last_seq) > REMEMBERED:
            self._last_seq.popitem(last=False)
        return True

    def of_peer(self, peer: bytes) -> Session | None:
        """Who speaks."""
        return self._by_peer.get(peer)

    def of_nonce(self, nonce: str) -> Session | None:
        """The session of that boot."""
        return self._by_nonce.get(nonce)

    def named(self, name: str) -> Session | None:
        """The session of the worker of that name."""
        return self._by_name.get(name)

    def add(self, session: Session) -> None:
        """A worker is here."""
        self._by_peer[session.peer] = session
        self._by_nonce[session.nonce] = session
        self._by_name[session.name] = session

    def move(self, session: Session, peer: bytes) -> None:
        """The same worker speaks over another connection."""
        if self._by_peer.get(session.peer) is session:
            del self._by_peer[session.peer]
        session.peer = peer
        self.add(session)

    def shift(self, by_ns: int) -> None:
        """So much of the clock does not count: whoever was heard lately was heard lately."""
        for session in self._by_peer.values():
            session.heard_ns += by_ns
            session.written_ns += by_ns
            session.asked_at = (-1, 0)

    def drop(self, session: Session) -> None:
        """A worker is not here any more."""
        if self._by_peer.get(session.peer) is session:
            del self._by_peer[session.peer]
        self._by_nonce.pop(session.nonce, None)
        if self._by_name.get(session.name) is session:
            del self._by_name[session.name]

    def free_name(self, wanted: str, nonce: str, now_ns: int) -> str:
        """The name, or one with a number behind it while another worker of that name is there."""
        name, number = wanted, 1
        while (other := self.named(name)) is not None and other.nonce != nonce and _is_alive(other, now_ns):
            number += 1
            name = f"{wanted[:LONGEST_NAME]}-{number}"
        return name


def _is_alive(session: Session, now_ns: int) -> bool:
    return session.is_connected and now_ns - session.heard_ns < ALIVE_NS
