"""How fast one sentinel takes jobs from their claim to their record, with every step on the disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bars import JOB_CYCLE
from benchmarks.process import ours, peer
from benchmarks.rounds import Side, in_turn
from benchmarks.shape import CYCLES, MILLISECONDS, Bench, Benchmark, Figure, Row

SLOTS = 16
SMALL, LARGE = 3 << 10, 100 << 20
"""Sizes of files that are ordered together, and of such that are not."""


def _measure(bench: Bench) -> Iterator[Row]:
    yield _cycles(bench)
    yield _groups(bench)
    yield from _waits(bench)


def _cycles(bench: Bench) -> Row:
    count = bench.pick(1_000, 10_000)
    numbers = iter(range(1_000))
    commits = 0

    def fresh() -> Path:
        folder = bench.folder / str(next(numbers))
        folder.mkdir()
        return folder

    def cycles() -> float:
        nonlocal commits
        found = ours("cycles", str(fresh()), str(count), str(SLOTS), str(LARGE)).json
        commits = found["commits"]
        return count / float(found["seconds"])

    def raw() -> float:
        return count / float(peer("sqlite_claims", str(fresh()), str(count), str(commits)).json["seconds"])

    commits = 2 * count // SLOTS
    found = in_turn(bench, {"raw": Side(raw), "ours": Side(cycles)})
    what = f"claim to record, {count:,}"
    return Row(what, CYCLES, Figure(found["ours"]), "sqlite3", Figure(found["raw"]), JOB_CYCLE)


def _groups(bench: Bench) -> Row:
    """Orders of many small files, each of which commits as one."""
    count = bench.pick(2_000, 20_000)
    numbers = iter(range(1_000))

    def cycles() -> float:
        folder = bench.folder / f"g{next(numbers)}"
        folder.mkdir()
        return count / float(ours("cycles", str(folder), str(count), "4", str(SMALL)).json["seconds"])

    def alone() -> float:
        folder = bench.folder / f"g{next(numbers)}"
        folder.mkdir()
        return count / float(ours("cycles", str(folder), str(count), "4", str(LARGE)).json["seconds"])

    found = in_turn(bench, {"alone": Side(alone), "ours": Side(cycles)})
    what = f"claim to record, {count:,} in groups of 50"
    return Row(what, CYCLES, Figure(found["ours"]), "one by one", Figure(found["alone"]))


def _waits(bench: Bench) -> Iterator[Row]:
    count = bench.pick(300, 3_000)
    numbers = iter(range(1_000))

    def ordered() -> list[float]:
        folder = bench.folder / f"d{next(numbers)}"
        folder.mkdir()
        return list(json.loads(ours("dispatch", str(folder), str(count)).out))

    def echoed() -> list[float]:
        return list(json.loads(peer("zmq_echo", str(bench.folder), str(count)).out))

    found = in_turn(bench, {"echo": Side(echoed), "ours": Side(ordered)})
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        mine, theirs = (Figure([_quantile(waits, share) for waits in found[side]]) for side in ("ours", "echo"))
        yield Row(f"order for a free slot, {name}", MILLISECONDS, mine, "bare echo", theirs)


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


BENCHMARK = Benchmark(
    "queue",
    f"the sentinel's rules over SQLite with synchronous=FULL, every job an order of its own, {SLOTS} slots that answer"
    " at once, beside the sqlite3 module claiming and completing as many jobs in as many transactions; then from a"
    " slot's word that it is free to its order, over ZeroMQ, with the disk flushed between, beside ROUTER and DEALER"
    " that only echo",
    _measure,
    (JOB_CYCLE,),
)
