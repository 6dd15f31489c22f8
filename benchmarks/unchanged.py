"""A run with nothing to do: every file has its reason, nothing is parsed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bars import NOTHING_TO_DO
from benchmarks.homes import Home
from benchmarks.process import Measured, casparian, peer
from benchmarks.rounds import Side, in_turn, rate
from benchmarks.shape import FILES, Bench, Benchmark, Row


def _measure(bench: Bench) -> Iterator[Row]:
    count = bench.pick(2_000, 100_000)
    files, home = bench.folder / "files", Home(bench.folder)
    for number in range(count):
        place = files / f"{number // 1000:03}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06}.bin").write_bytes(b"\x00\x01" + number.to_bytes(8, "little"))
    casparian(home.path, "run", str(files))

    def again() -> Measured:
        done = casparian(home.path, "run", str(files))
        if done.json["run"] != 0:
            raise RuntimeError(f"something ran again:\n{done.out[-2000:]}")
        return done

    found = in_turn(bench, {"walk": Side(lambda: peer("walk", str(files))), "again": Side(again)})
    walk = rate(count, found["walk"])
    yield Row(f"run again, {count:,}", FILES, rate(count, found["again"]), "bare walk", walk, NOTHING_TO_DO)


BENCHMARK = Benchmark(
    "unchanged",
    "`casparian run` over files that it knows and that have no parser, beside scandir and stat in bare Python",
    _measure,
    (NOTHING_TO_DO,),
)
