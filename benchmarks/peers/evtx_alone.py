"""The evtx wheel alone: every record of every log as JSON, counted and forgotten: LOGS."""

from __future__ import annotations

import sys
from pathlib import Path

from evtx import PyEvtxParser


def main() -> None:
    logs = sorted(map(str, Path(sys.argv[1]).glob("*.evtx")))
    print(sum(sum(1 for _ in PyEvtxParser(path, number_of_threads=1).records_json()) for path in logs))


if __name__ == "__main__":
    main()
