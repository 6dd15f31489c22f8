"""Becomes a command under a limit of memory: `data BYTES COMMAND…` or `group FOLDER COMMAND…`."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path


def main() -> None:
    kind, limit, *command = sys.argv[1:]
    if kind == "group":
        (Path(limit) / "cgroup.procs").write_text(str(os.getpid()))
    else:
        resource.setrlimit(resource.RLIMIT_DATA, (int(limit), int(limit)))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
