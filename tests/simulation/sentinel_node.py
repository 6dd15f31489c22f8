"""One boot of the sentinel: the real rules on the real store, which may crash before or after it is durable."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import msgspec
from sqlalchemy import Engine

from casparian_flow.protocol.pseudonym_key import PseudonymKey
from casparian_flow.sentinel.actions import Action
from casparian_flow.sentinel.commit.promoter import carry_out
from casparian_flow.sentinel.core import SentinelCore
from casparian_flow.sentinel.recovery import take_up
from casparian_flow.sentinel.runs import Policy
from casparian_flow.sinks.base import Sink
from casparian_flow.store import database, job_changes
from casparian_flow.store import runs as run_store
from casparian_flow.store.database import Database
from casparian_flow.store.engine import make_engine

from .evidence import TOLERANCE
from .sinks import Sinks

DEFAULT_SINK = "parquet:///sim/0"


_ENGINES: defaultdict[Path, list[Engine]] = defaultdict(list)
"""Engines that no boot uses: what they have compiled is good for the next one, and would take most of its time."""


def _lasting_engine(path: Path, *, read_only: bool) -> Engine:
    idle = _ENGINES[path]
    return idle.pop() if idle else make_engine(path, read_only=read_only)


class Crash(Exception):
    """The process is killed here."""


class SentinelNode:
    """A sentinel from its start to its crash. `send` takes what it says, once that is durable."""

    def __init__(
        self,
        path: Path,
        boot: int,
        sinks: Sinks,
        chance: random.Random,
        send: Callable[[bytes, bytes], None],
        now_ns: int,
        core: type[SentinelCore] = SentinelCore,
    ) -> None:
        self._sinks = sinks
        self._chance = chance
        self._send = send
        self.crashes = 0.0
        self.is_durable_first = True
        self.actions: list[Action] = []
        with patch.object(database, "make_engine", _lasting_engine):
            self.database = Database(path)
        self.database.driver.execute("PRAGMA synchronous = OFF")
        found = take_up(self.database, self._open, DEFAULT_SINK, path.with_name("none"), now_ns)
        self.incarnation = found.incarnation
        self.database.incarnation = found.incarnation
        self.core = core(
            self.database,
            incarnation=found.incarnation,
            session=f"sentinel-{boot}",
            notify=lambda _event, _values: None,
            key=PseudonymKey(path.with_name("pseudonym.key")),
        )
        with self.together():
            self.core.take_up(now_ns)

    def receive(self, peer: bytes, data: bytes, now_ns: int) -> None:
        """A message of a worker arrives."""
        with self.together():
            self.core.look(now_ns)
            self.core.receive(peer, data, now_ns)
            self.core.tick(now_ns)

    def tick(self, now_ns: int) -> None:
        """Time has passed."""
        with self.together():
            self.core.tick(now_ns)

    def act(self, now_ns: int) -> bool:
        """Carry out one thing at the sinks; False if there is nothing to do."""
        if not self.actions:
            return False
        action = self.actions.pop(int(self._chance.random() * len(self.actions)))
        done = carry_out(action, self._open)
        with self.together():
            self.core.done(done, now_ns)
            self.core.tick(now_ns)
        return True

    def submit(self, plan: int, policy: Policy, jobs: list[dict[str, Any]], now_ns: int) -> None:
        """Somebody submits a run."""
        with self.together():
            with self.database.transaction() as connection:
                text = msgspec.json.encode(policy).decode()
                run_store.submit(connection, plan, text, "somebody", jobs, now_ns)
            self.core.submit(plan, now_ns)
            self.core.tick(now_ns)

    def cancel(self, job: int, now_ns: int, told: Callable[[int], None]) -> None:
        """Somebody cancels a job, and is `told` if that was in time."""
        with self.together():
            outcome = self.core.cancel(job, now_ns)
            self.core.tick(now_ns)
        if outcome.is_cancelled:
            told(job)

    def retry(self, job: int, number: int, plan: int, now_ns: int) -> None:
        """Somebody wants what a job that failed was to do: a new job, in a run of its own."""
        with self.database.transaction() as connection:
            row = job_changes.again(job_changes.with_world(connection, job), number, plan, "retry", now_ns)
        self.submit(plan, Policy(tolerance=TOLERANCE), [row], now_ns)

    def drain(self, worker: str) -> None:
        """Somebody wants a worker to end."""
        with self.together():
            self.core.drain(worker)

    def lost(self, peer: bytes, now_ns: int) -> None:
        """The transport says that a connection broke."""
        with self.together():
            self.core.lost(peer, now_ns)
            self.core.tick(now_ns)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything inside is durable before anything of it leaves, and may be lost on either side of that."""
        with self.database.together():
            yield
            if not self.is_durable_first:
                self._say()
            if self._chance.random() < self.crashes:
                raise Crash
        self._say()

    def _say(self) -> None:
        self.actions += self.core.take_actions()
        for peer, data in self.core.take_outgoing():
            if self._chance.random() < self.crashes:
                raise Crash
            self._send(peer, data)

    def close(self) -> None:
        """The process is gone; what was not durable is undone."""
        self.database.close()
        _ENGINES[self.database.path].append(self.database.connection.engine)

    def _open(self, uri: str) -> Sink:
        return cast("Sink", self._sinks.open(uri))
