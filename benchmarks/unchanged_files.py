"""A run with nothing to do: every file has its reason, nothing is parsed."""

from __future__ import annotations

from pathlib import Path

from benchmarks.timing import casparian, workspace

BAR_SECONDS = 8.0


def main(quick: bool, rounds: int) -> None:
    count = 2_000 if quick else 100_000
    with workspace() as folder:
        for number in range(count):
            place = folder / "files" / f"{number // 1000:03}"
            place.mkdir(parents=True, exist_ok=True)
            _write(place / f"{number:06}.bin", number)
        first = casparian(folder / "home", "run", str(folder / "files"))
        print(f"first look at {count:,} files that have no parser: {first.seconds:.1f} s")
        for _round in range(rounds):
            again = casparian(folder / "home", "run", str(folder / "files"))
            assert again.json["run"] == 0, again.out
            verdict = "met" if again.seconds <= BAR_SECONDS else "missed"
            print(f"again: {again.seconds:.1f} s, peak {again.peak_bytes >> 20} MB (bar {BAR_SECONDS:g} s: {verdict})")


def _write(path: Path, number: int) -> None:
    path.write_bytes(b"\x00\x01" + number.to_bytes(8, "little"))
