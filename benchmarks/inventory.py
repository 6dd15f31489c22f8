"""Finding files: a first scan and one where nothing changed, and a first one that reads every file besides."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.bars import FIRST_LISTING, LISTING_AGAIN, LISTING_MEMORY
from benchmarks.homes import Home
from benchmarks.process import Measured, casparian, peer
from benchmarks.rounds import Side, in_turn, peak, rate
from benchmarks.shape import FILES, MEMORY, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    count = bench.pick(5_000, 1_000_000)
    files, home = bench.folder / "files", Home(bench.folder)
    make_empty_files(files, count)

    def list_them() -> Measured:
        return casparian(home.path, "scan", str(files), "--hash", "none")

    found = in_turn(
        bench.once(),
        {
            # The one round goes backwards, so the home knows the files by then.
            "again": Side(list_them),
            "first": Side(list_them, home.forget),
            "walk": Side(lambda: peer("walk", str(files))),
        },
    )
    walk = rate(count, found["walk"])
    yield Row(f"first listing, {count:,}", FILES, rate(count, found["first"]), "bare walk", walk, FIRST_LISTING)
    yield Row(f"listing again, {count:,}", FILES, rate(count, found["again"]), "bare walk", walk, LISTING_AGAIN)
    yield Row("peak memory", MEMORY, peak(found["first"]), "bare walk", peak(found["walk"]), LISTING_MEMORY)
    yield _reading(bench)


def _reading(bench: Bench) -> Row:
    """What it costs to open, hash and recognise every file besides."""
    count = bench.pick(1_000, 100_000)
    files, home = bench.folder / "read", Home(bench.folder)
    make_empty_files(files, count)
    sides = {
        "walk": Side(lambda: peer("walk", str(files))),
        "first": Side(lambda: casparian(home.path, "scan", str(files)), home.forget),
    }
    found = {name: rate(count, runs) for name, runs in in_turn(bench.once(), sides).items()}
    return Row(f"first scan with hashing, {count:,}", FILES, found["first"], "bare walk", found["walk"])


def make_empty_files(folder: Path, count: int) -> None:
    """So many files, a thousand in each folder."""
    for number in range(count):
        place = folder / f"{number // 1000:04}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        (place / f"{number:07}.bin").touch()


BENCHMARK = Benchmark(
    "inventory",
    "empty files, whole processes: `casparian scan --hash none` with a home that is new, or knows them, beside scandir"
    " and stat in bare Python; then a first `casparian scan`, which also opens, hashes and recognises every file."
    " Names are in the machine's cache for both",
    _measure,
    (FIRST_LISTING, LISTING_AGAIN, LISTING_MEMORY),
)
