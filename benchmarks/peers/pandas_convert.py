"""pandas reads one file and writes it as Parquet: csv|jsonl FILE TARGET."""

from __future__ import annotations

import sys

import pandas as pd


def main() -> None:
    kind, source, target = sys.argv[1:]
    frame = pd.read_csv(source) if kind == "csv" else pd.read_json(source, lines=True)
    frame.to_parquet(target)


if __name__ == "__main__":
    main()
