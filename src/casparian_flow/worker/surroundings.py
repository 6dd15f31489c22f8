"""The process that a worker lives in: what every receipt says about it, and what it needs of it."""

from __future__ import annotations

import getpass
import os
import resource
import socket
from functools import cache

from casparian_flow import __version__


@cache
def host_name() -> str:
    """The machine's name."""
    return socket.gethostname()


@cache
def user_name() -> str:
    """The person's login name; the numeric id where it has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def allow_open_files() -> None:
    """Let this process open as many files as it may.

    A database of a thousand tables has a thousand outputs open at once; the usual limit is 1,024 files.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


VERSION = __version__
