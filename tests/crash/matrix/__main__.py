"""`python -m tests.crash.matrix`: all cells or some of them, in two processes; says which do not hold."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.warm_guests import nursery

from .cells import KINDS, Crew, chosen_cells, every_cell, fast_place
from .scenarios import SCENARIOS


def main() -> None:
    """Run cells and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.matrix", description=__doc__)
    parser.add_argument("--scenario", default="", help="only scenarios with this in their name")
    parser.add_argument("--point", default="", help="only failpoints with this in their name")
    parser.add_argument("--kind", choices=KINDS, help="only this fault")
    parser.add_argument("--all", action="store_true", help="every step of every scenario, not each step once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drivers", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="only name the failpoints of the scenarios")
    parser.add_argument("--say", action="store_true", help="show what the command said")
    asked = parser.parse_args()
    began = time.monotonic()
    with TemporaryDirectory(dir=fast_place()) as folder, Crew(Path(folder), asked.drivers, nursery()) as crew:
        names = [name for name in SCENARIOS if asked.scenario in name]
        with ThreadPoolExecutor(asked.drivers) as pool:
            steps = dict(zip(names, pool.map(crew.steps, names), strict=True))
        if asked.list:
            for name, found in steps.items():
                print(name, *(f"  {point} x{count}" for point, count in sorted(found.items())), sep="\n")
            return
        make = every_cell if asked.all else chosen_cells
        cells = [
            cell
            for cell in make(steps, asked.seed)
            if asked.point in cell.fault.point and asked.kind in (None, cell.fault.kind)
        ]
        broken = 0
        with ThreadPoolExecutor(asked.drivers) as pool:
            for at, (cell, answer) in enumerate(zip(cells, pool.map(crew.run, cells), strict=True), 1):
                broken += bool(answer["broken"])
                if answer["broken"] or asked.say or not answer["struck"]:
                    what = answer["broken"] or ([] if answer["struck"] else ["never came"])
                    said = [answer["said"]] if asked.say or answer["broken"] else []
                    print(
                        f"{at} of {len(cells)}: {cell.scenario} | {cell.fault}", *what, *said, sep="\n    ", flush=True
                    )
                elif at % 20 == 0:
                    print(f"{at} of {len(cells)}", flush=True)
    print(f"{len(cells)} cells, {broken} broken, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
