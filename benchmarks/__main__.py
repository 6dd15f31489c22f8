"""`python -m benchmarks NAME [--quick] [--rounds N]`: one benchmark by name, or all of them."""

from __future__ import annotations

import argparse

from benchmarks import csv_files, evtx_files, large_files, schema_cells, small_files, unchanged_files
from benchmarks.timing import Skipped, machine

BENCHMARKS = {
    "csv": csv_files.main,
    "evtx": evtx_files.main,
    "small": small_files.main,
    "unchanged": unchanged_files.main,
    "large": large_files.main,
    "cells": schema_cells.main,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--quick", action="store_true", help="a tenth of the data and one round")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side runs (3)")
    options = parser.parse_args()
    print(machine())
    for name in BENCHMARKS if options.name == "all" else [options.name]:
        print(f"\n== {name}")
        try:
            BENCHMARKS[name](options.quick, 1 if options.quick else options.rounds)
        except Skipped as reason:
            print(f"skipped: {reason}")


if __name__ == "__main__":
    main()
