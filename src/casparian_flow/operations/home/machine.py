"""What the operating system says about a path: the file system under it, and who holds a lock on it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

MOUNTS = Path("/proc/mounts")
LOCKS = Path("/proc/locks")
NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"}
)
MAX_NOTE = 4096


def file_system(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The kind of file system that holds the path; None where the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    resolved = path.resolve()
    found: tuple[int, str] | None = None
    for line in lines:
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[1]))
        # Of two mounts on one folder the later one is seen.
        if resolved.is_relative_to(mount) and (found is None or len(mount.parts) >= found[0]):
            found = (len(mount.parts), fields[2])
    return found[1] if found else None


def lock_holder(path: Path, locks: Path = LOCKS) -> str | None:
    """Who holds the lock on a file, in words; None when nobody does. It is looked up, never tried."""
    try:
        inode = path.stat().st_ino
        held = [line.split() for line in locks.read_text().splitlines()]
    except OSError:
        return None
    pids = [words[4] for words in held if "->" not in words and words[5].rpartition(":")[2] == str(inode)]
    if not pids:
        return None
    return _note(path) or f"process {pids[0]}"


def _note(path: Path) -> str | None:
    """What the holder wrote into the lock file about itself."""
    try:
        with path.open("rb") as file:
            note = json.loads(file.read(MAX_NOTE))
        return f"process {int(note['pid'])}: {os.fspath(note['command'])[:200]}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
