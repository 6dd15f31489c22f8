"""Casparian Flow turns a directory of files into tables you can trust, and proves how it got them.

`read` turns one file into tables, `open` works with a home; `CasparianError` is the root of what they raise. They are
imported when they are first used: this package is also what every guest and `--help` import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from casparian_flow.clients.api.home import Home
    from casparian_flow.clients.api.home import open_home as open
    from casparian_flow.clients.api.read import read
    from casparian_flow.clients.api.read_result import ReadResult
    from casparian_flow.core.errors import CasparianError
    from casparian_flow.protocol.messages import Limits

__version__ = "0.1.0"
__all__ = ["CasparianError", "Home", "Limits", "ReadResult", "__version__", "open", "read"]

_FOUND_IN = {
    "CasparianError": ("casparian_flow.core.errors", "CasparianError"),
    "Home": ("casparian_flow.clients.api.home", "Home"),
    "Limits": ("casparian_flow.protocol.messages", "Limits"),
    "ReadResult": ("casparian_flow.clients.api.read_result", "ReadResult"),
    "open": ("casparian_flow.clients.api.home", "open_home"),
    "read": ("casparian_flow.clients.api.read", "read"),
}


def __getattr__(name: str) -> Any:
    if name not in _FOUND_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _FOUND_IN[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
