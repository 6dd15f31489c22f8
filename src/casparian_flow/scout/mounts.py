"""Whether the file system below a folder tells this machine of every change."""

from __future__ import annotations

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
REMOTE = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs"}
    | {"nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"}
)
"""File systems that others change without this kernel's knowing."""
_ESCAPED = re.compile(rb"\\([0-7]{3})")


def silent_mount(folder: bytes, mounts: Path = MOUNTS) -> str | None:
    """The kind of the file system in a folder, or somewhere below it, that does not tell; None where all do."""
    try:
        lines = mounts.read_bytes().splitlines()
    except OSError:
        return None  # only Linux has the list; elsewhere looking at everything now and then must do
    inside = folder.rstrip(b"/") + b"/"
    nearest, found, below = b"", None, None
    for line in lines:
        fields, _, rest = line.partition(b" - ")
        kind = rest.split(b" ")[0].decode("ascii", "replace")
        point = _ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), fields.split(b" ")[4]).rstrip(b"/") + b"/"
        is_silent = kind in REMOTE or kind.startswith("fuse.")
        if inside.startswith(point) and len(point) >= len(nearest):
            nearest, found = point, kind if is_silent else None
        elif point.startswith(inside) and is_silent:
            below = kind
    return found or below
