"""Watches a folder with watchfiles alone until it is ended: FOLDER."""

from __future__ import annotations

import sys

import watchfiles


def main() -> None:
    for _changes in watchfiles.watch(sys.argv[1]):
        pass


if __name__ == "__main__":
    main()
