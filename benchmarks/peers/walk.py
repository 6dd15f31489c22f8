"""The least that an inventory can do: walk a directory and ask for the size and times of every entry."""

from __future__ import annotations

import os
import sys


def main() -> None:
    count = size = 0
    waiting = [sys.argv[1]]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    count, size = count + 1, size + entry.stat(follow_symlinks=False).st_size
    print(count, size)


if __name__ == "__main__":
    main()
