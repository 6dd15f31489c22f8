"""The process of the fuzzer: `python -m tests.fuzz.under_atheris TARGET [libFuzzer's options] CORPUS`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import atheris

from .target import load_target

PARSERS = Path(__file__).parents[2] / "src" / "casparian_flow" / "parsers"


def main() -> None:
    """Import what the target reads with, instrumented, and search; libFuzzer ends the process."""
    name, *options = sys.argv[1:]
    ours = ["casparian_flow", *(file.stem for file in PARSERS.rglob("*.py"))]
    with atheris.instrument_imports(include=ours):
        target = load_target(name)
    for data in target.seeds():  # what is made at the first use counts for no input
        target.check(data)
    change_inside = target.mutate

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        assert change_inside is not None
        chance = random.Random(seed)

        def change(part: bytes) -> bytes:
            return bytes(atheris.Mutate(part, max(min(2 * len(part) + 16, most), 1)))

        if chance.random() < 0.2:
            return bytes(atheris.Mutate(data, most))
        return change_inside(data, change, chance)[:most]

    more = {} if change_inside is None else {"custom_mutator": mutated}
    atheris.Setup([name, *options], target.check, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
