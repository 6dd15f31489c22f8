"""Finding files: a first scan and one where nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.homes import Home
from benchmarks.process import casparian, peer
from benchmarks.rounds import Side, in_turn, peak, rate
from benchmarks.shape import FILES, MEMORY, Bar, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    count = bench.pick(10_000, 1_000_000)
    files, home = bench.folder / "files", Home(bench.folder)
    make_empty_files(files, count)
    found = in_turn(
        bench.once(),
        {
            "walk": Side(lambda: peer("walk", str(files))),
            "first": Side(lambda: casparian(home.path, "scan", str(files)), home.forget),
            "again": Side(lambda: casparian(home.path, "scan", str(files)), lambda: _scanned(home, files)),
        },
    )
    walk = rate(count, found["walk"])
    yield Row(f"first scan, {count:,}", FILES, rate(count, found["first"]), "bare walk", walk, Bar(1_000_000 / 12))
    yield Row(f"scan again, {count:,}", FILES, rate(count, found["again"]), "bare walk", walk, Bar(1_000_000 / 8))
    yield Row("peak memory", MEMORY, peak(found["first"]), "bare walk", peak(found["walk"]), Bar(300))


def make_empty_files(folder: Path, count: int) -> None:
    """So many files, a thousand in each folder."""
    for number in range(count):
        place = folder / f"{number // 1000:04}"
        if number % 1000 == 0:
            place.mkdir(parents=True)
        (place / f"{number:07}.bin").touch()


def _scanned(home: Home, files: Path) -> None:
    if not home.path.exists():
        casparian(home.path, "scan", str(files))


BENCHMARK = Benchmark(
    "inventory",
    "`casparian scan` of empty files with a home that is new, or knows them, beside scandir and stat in bare Python;"
    " names are in the machine's cache for both; our scan opens new files to recognise them",
    _measure,
)
