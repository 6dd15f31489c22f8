"""A whole world from one seed: nodes, network, sinks and time, and what goes wrong in it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.builders import NOW_NS

from casparian_flow.core.errors import SentinelSuperseded
from casparian_flow.core.jobs import REPLAYABLE
from casparian_flow.protocol.opcodes import HEADER, Opcode
from casparian_flow.sentinel.core import SentinelCore
from casparian_flow.worker.core import WorkerCore

from .evidence import a_run, template
from .network import Network
from .oracle import Oracle
from .sentinel_node import Crash, SentinelNode
from .sinks import Sinks, Violation
from .worker_node import Habits, WorkerNode

CALM_SECONDS = 400
"""Simulated seconds after the last fault within which every job has to come to its end."""
FAULTS = {"jump", "crash_worker", "pause_worker", "crash_sentinel", "supersede", "cut", "break_sinks", "disconnect"}
"""Events that happen to no parser."""
AGAIN = 1_000
"""What the number of a job that does again what another was to do has more than that one's."""


@dataclass(frozen=True, slots=True)
class Build:
    """Which code runs in the world: the product's, or one that is known to be wrong."""

    sentinel: type[SentinelCore] = SentinelCore
    worker: type[WorkerCore] = WorkerCore
    node: type[WorkerNode] = WorkerNode
    is_durable_first: bool = True
    often: str = ""
    """An event that happens more often than in other worlds."""
    replaces: float = 0.15
    """How many runs replace what is there."""
    is_calm: bool = False
    """Nothing but parsers fails."""


PRODUCT = Build()


class World:
    """Everything that happens is decided by the seed. `steps` counts events until now."""

    def __init__(
        self,
        seed: int,
        folder: Path,
        build: Build = PRODUCT,
        tell: Callable[[str], None] | None = None,
        sinks: Callable[[random.Random], Sinks] = Sinks,
    ) -> None:
        """`tell` hears of everything that happens, for whoever looks for a cause."""
        self._tell = tell
        self._chance = chance = random.Random(seed)
        self._build = build
        self._path = folder / "state.sqlite3"
        database, jobs = template()
        for rest in ("", "-wal", "-shm"):  # of a world that ended in a violation
            self._path.with_name(self._path.name + rest).unlink(missing_ok=True)
        self._path.write_bytes(database)
        self.steps = 0
        self.now_ns = NOW_NS
        self._boots = 0
        self._network = Network(chance)
        self._network.loss = chance.choice((0.0, 0.02, 0.2))
        self._network.repeats = chance.choice((0.0, 0.05, 0.3))
        self._sinks = sinks(chance)
        self._habits = Habits(chance.choice((0.0, 0.1)), chance.choice((0.0, 0.2)), chance.choice((0.0, 0.05, 0.2)))
        self._oracle = Oracle(self._path, self._sinks)
        self._crashes = chance.choice((0.0, 0.01, 0.04))
        if build.is_calm:
            self._network.loss, self._crashes, self._oracle.is_calm = 0.0, 0.0, True
        self._superseded: SentinelNode | None = None
        self._sentinel: SentinelNode | None = self._new_sentinel()
        self._waiting_jobs = list(jobs)
        chance.shuffle(self._waiting_jobs)
        self._plan = 0
        self._targets: dict[int, int] = {}
        self._names = ["ann", "bob", "cid"][: chance.choice((1, 2, 2, 3))]
        self._slots = {name: chance.choice((1, 1, 2, 3)) for name in self._names}
        self._workers: dict[str, WorkerNode | None] = {name: self._new_worker(name) for name in self._names}
        self._events, self._weights = self._chances()
        self._submit()

    def close(self) -> None:
        """End the world."""
        self._oracle.close()
        for node in (self._sentinel, self._superseded):
            if node is not None:
                node.close()

    def run(self, steps: int) -> None:
        """So many events with faults, then calm until everything has come to its end."""
        for event in self._chance.choices(self._events, self._weights, k=steps):
            self._happen(event)
        self._calm_down()
        self._come_to_rest()

    # --- what may happen ----------------------------------------------------------------------------------------

    def _chances(self) -> tuple[list[Callable[[], None]], list[float]]:
        """Every world has its own mixture of faults."""

        def rate(*choices: float) -> float:
            return self._chance.choice(choices)

        table: list[tuple[Callable[[], None], float]] = [
            (self._deliver, 50),
            (self._work, 25),
            (self._let_time_pass, 12),
            (self._act, 4),
            (self._submit, 0.5),
            (self._cancel, rate(0, 0.3, 1)),
            (self._retry, rate(0, 0.3)),
            (self._drain, rate(0, 0, 0.1)),
            (self._jump, rate(0, 0.2)),
            (self._crash_worker, rate(0, 0.2, 0.8)),
            (self._start_worker, 1.5),
            (self._pause_worker, rate(0, 0.3)),
            (self._crash_sentinel, rate(0, 0.2, 0.6)),
            (self._start_sentinel, 2),
            (self._supersede, rate(0, 0, 0.4)),
            (self._cut, rate(0, 0.3)),
            (self._heal, 0.6),
            (self._break_sinks, rate(0, 0.2)),
            (self._disconnect, rate(0, 0.3)),
        ]
        often = f"_{self._build.often}"
        if self._build.is_calm:
            table = [(event, 0 if event.__name__.strip("_") in FAULTS else weight) for event, weight in table]
        return [event for event, _ in table], [6 if event.__name__ == often else weight for event, weight in table]

    def _happen(self, event: Callable[[], None]) -> None:
        self.steps += 1
        if self._tell is not None and event.__name__ not in ("_deliver", "_work"):
            self._tell(f"{self.steps:5} {self._now:9.2f} {event.__name__.strip('_')}")
        event()
        self._oracle.check()

    def _deliver(self) -> None:
        flight = self._network.take()
        if flight is None:
            return
        if flight.to_sentinel:
            self._to_sentinel(flight.peer, flight.data)
        else:
            self._to_worker(flight.peer, flight.data)

    def _trace(self, what: str, peer: bytes, data: bytes) -> None:
        if self._tell is not None and data[1] != Opcode.HEARTBEAT:
            _, opcode, _, job, _ = HEADER.unpack_from(data)
            payload = data[HEADER.size :].decode()[:200]
            self._tell(f"{self.steps:5} {self._now:9.2f} {what} {peer.decode()} {Opcode(opcode).name} {job} {payload}")

    def _to_sentinel(self, peer: bytes, data: bytes) -> None:
        self._trace("sentinel hears", peer, data)
        node = self._sentinel
        if self._superseded is not None and self._chance.random() < 0.5:
            node = self._superseded
        if node is not None:
            self._at_sentinel(node, lambda: node.receive(peer, data, self.now_ns))

    def _to_worker(self, peer: bytes, data: bytes) -> None:
        self._trace("sentinel tells", peer, data)
        for worker in self._workers.values():
            if worker is not None and worker.peer == peer and not worker.is_paused:
                worker.receive(data, self._now)
                self._post(worker)

    def _work(self) -> None:
        if (worker := self._some_worker()) is not None:
            worker.work(self._now)
            self._post(worker)

    def _let_time_pass(self) -> None:
        self.now_ns += int(self._chance.choice((0.02, 0.1, 0.1, 0.5, 1.0, 3.0)) * 1e9)
        self._tick()

    def _jump(self) -> None:
        """Nobody does anything for a while: the machine sleeps, or is out of breath."""
        self.now_ns += int(self._chance.choice((9, 16, 40)) * 1e9)
        self._tick()

    def _tick(self) -> None:
        for worker in self._workers.values():
            if worker is not None and not worker.is_paused:
                worker.tick(self._now)
                self._post(worker)
        for node in (self._sentinel, self._superseded):
            if node is not None:
                self._at_sentinel(node, lambda node=node: node.tick(self.now_ns))  # type: ignore[misc]

    def _act(self) -> None:
        if (node := self._sentinel) is not None:
            self._at_sentinel(node, lambda: node.act(self.now_ns))
        if (old := self._superseded) is not None:
            self._at_sentinel(old, lambda: old.act(self.now_ns))

    def _submit(self) -> None:
        """Somebody runs something: one to six more files."""
        node = self._sentinel
        if node is None or not self._waiting_jobs:
            return
        self._plan += 1
        count = min(self._chance.randint(1, 6), len(self._waiting_jobs))
        jobs, self._waiting_jobs = self._waiting_jobs[:count], self._waiting_jobs[count:]
        policy, rows, sinks = a_run(self._chance, jobs, self._plan, self._build.replaces)
        self._targets |= {row["id"]: sinks for row in rows}
        if not self._at_sentinel(node, lambda: node.submit(self._plan, policy, rows, self.now_ns)):
            self._waiting_jobs += [job for job in jobs if job["id"] not in self._oracle.rows()]

    def _cancel(self) -> None:
        node = self._sentinel
        rows = self._oracle.rows()
        if node is None or not rows:
            return
        job = self._chance.choice(sorted(rows))
        self._at_sentinel(node, lambda: node.cancel(job, self.now_ns, self._oracle.told_cancelled.add))

    def _retry(self) -> None:
        node = self._sentinel
        rows = self._oracle.rows()
        failed = [job for job, row in rows.items() if row.state in REPLAYABLE and job + AGAIN not in rows]
        if node is not None and failed:
            job = self._chance.choice(sorted(failed))
            self._plan += 1
            self._targets[job + AGAIN] = self._targets[job]
            self._at_sentinel(node, lambda: node.retry(job, job + AGAIN, self._plan, self.now_ns))

    def _drain(self) -> None:
        if (node := self._sentinel) is not None:
            name = self._chance.choice(self._names)
            self._at_sentinel(node, lambda: node.drain(name))

    # --- faults -------------------------------------------------------------------------------------------------

    def _crash_worker(self) -> None:
        name = self._chance.choice(self._names)
        if (worker := self._workers[name]) is not None:
            self._workers[name] = None
            if self._chance.random() < 0.5 and (node := self._sentinel) is not None:
                self._at_sentinel(node, lambda: node.lost(worker.peer, self.now_ns))

    def _start_worker(self) -> None:
        for name, worker in self._workers.items():
            if worker is None:
                self._workers[name] = self._new_worker(name)
            elif worker.is_paused:
                worker.is_paused = False

    def _pause_worker(self) -> None:
        """Its process is stopped, and does not know it."""
        if (worker := self._some_worker()) is not None:
            worker.is_paused = True

    def _crash_sentinel(self) -> None:
        if self._sentinel is not None:
            self._sentinel.close()
            self._sentinel = None

    def _start_sentinel(self) -> None:
        if self._sentinel is None:
            self._sentinel = self._new_sentinel()

    def _supersede(self) -> None:
        """A second sentinel starts while the first one believes in itself."""
        if self._sentinel is not None and self._superseded is None:
            self._superseded, self._sentinel = self._sentinel, None
            self._start_sentinel()

    def _cut(self) -> None:
        if (worker := self._some_worker()) is not None:
            self._network.cut(worker.peer, holds=self._chance.random() < 0.5)

    def _heal(self) -> None:
        self._network.heal()
        self._sinks.failing = 0.0

    def _break_sinks(self) -> None:
        self._sinks.failing = self._chance.choice((0.2, 1.0))

    def _disconnect(self) -> None:
        """The sentinel is told that a connection broke; it comes back."""
        worker, node = self._some_worker(), self._sentinel
        if worker is not None and node is not None:
            self._at_sentinel(node, lambda: node.lost(worker.peer, self.now_ns))

    # --- the end ------------------------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        """No more faults: everybody is there, and everything arrives."""
        self._network.heal()
        self._network.loss = self._network.repeats = self._sinks.failing = self._crashes = 0.0
        self._habits.fails = self._habits.fails_for_now = self._habits.rejects = 0.0
        if self._superseded is not None:
            self._superseded.close()
            self._superseded = None
        self._start_sentinel()
        assert self._sentinel is not None
        self._sentinel.crashes = 0.0
        for name in self._names:  # one that was drained stays so until a person starts it under another name
            self._workers[name] = self._workers[name] or self._new_worker(name)
        self._workers["dan"] = self._new_worker("dan")
        for worker in self._workers.values():
            assert worker is not None
            worker.is_paused = False

    def _come_to_rest(self) -> None:
        until_ns = self.now_ns + CALM_SECONDS * 10**9
        while self.now_ns < until_ns:
            self.steps += 1
            while self._deliver_all() or self._work_all() or self._act_all():
                self.steps += 1
                self._oracle.check()
            if self._oracle.is_over() and self._is_idle():
                break
            self.now_ns += 500_000_000
            self._tick()
            self._oracle.check()
        self._oracle.check_end(self._targets)
        if not self._is_idle():
            raise Violation("a worker or the sentinel holds something for ever")

    def _deliver_all(self) -> bool:
        found = False
        while (flight := self._network.take_oldest()) is not None:
            found = True
            if flight.to_sentinel:
                self._to_sentinel(flight.peer, flight.data)
            else:
                self._to_worker(flight.peer, flight.data)
        return found

    def _work_all(self) -> bool:
        found = False
        for worker in self._workers.values():
            assert worker is not None
            found |= worker.work(self._now)
            self._post(worker)
        return found

    def _act_all(self) -> bool:
        node = self._sentinel
        return node is not None and bool(node.actions) and self._at_sentinel(node, lambda: node.act(self.now_ns))

    def _is_idle(self) -> bool:
        is_free = all(worker is not None and worker.is_free for worker in self._workers.values())
        return is_free and self._sentinel is not None and self._sentinel.core.is_idle

    # --- nodes --------------------------------------------------------------------------------------------------

    @property
    def _now(self) -> float:
        """Every worker's clock; what it counts from means nothing."""
        return (self.now_ns - NOW_NS) / 1e9

    def _some_worker(self) -> WorkerNode | None:
        there = [worker for worker in self._workers.values() if worker is not None and not worker.is_paused]
        return there[int(self._chance.random() * len(there))] if there else None

    def _new_worker(self, name: str) -> WorkerNode:
        self._boots += 1
        return self._build.node(
            name,
            self._boots,
            self._slots.get(name, 1),
            self._sinks,
            self._chance,
            self._habits,
            self._oracle,
            self._build.worker,
        )

    def _new_sentinel(self) -> SentinelNode | None:
        self._boots += 1
        try:
            node = SentinelNode(
                self._path, self._boots, self._sinks, self._chance, self._send, self.now_ns, self._build.sentinel
            )  # fmt: skip
        except Crash:
            return None
        node.crashes = self._crashes
        node.is_durable_first = self._build.is_durable_first
        return node

    def _send(self, peer: bytes, data: bytes) -> None:
        self._network.send(peer, data, to_sentinel=False)

    def _post(self, worker: WorkerNode) -> None:
        for data in worker.core.take_outgoing():
            self._network.send(worker.peer, data, to_sentinel=True)

    def _at_sentinel(self, node: SentinelNode, do: Callable[[], object]) -> bool:
        """Whether it survived."""
        try:
            do()
        except (Crash, SentinelSuperseded):
            node.close()
            if node is self._superseded:
                self._superseded = None
            else:
                self._sentinel = None
            return False
        return True
