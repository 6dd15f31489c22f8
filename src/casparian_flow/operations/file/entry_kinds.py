"""What each kind of entry that is no file is called, where nothing more is known about it."""

from __future__ import annotations

KINDS = {
    "symlink_loop": "a symbolic link that leads back to itself",
    "symlink_broken": "a symbolic link to nothing",
    "symlink": "a symbolic link",
    "fifo": "a pipe",
    "socket": "a socket",
    "device": "a device",
    "unreadable": "cannot be read",
    "ignored": "ignored by a pattern of its source",
    "special": "not an ordinary file",
}
