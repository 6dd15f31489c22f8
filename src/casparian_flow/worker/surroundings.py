"""Who ran this: facts about the process that every receipt carries."""

from __future__ import annotations

import getpass
import os
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


VERSION = __version__
