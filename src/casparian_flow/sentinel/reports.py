"""Removes what a home keeps in words about errors that nobody foresaw, and about its service."""

from __future__ import annotations

import os

from casparian_flow.core.errors import HomeUnavailable
from casparian_flow.settings import Home


def forget_reports(home: Home) -> None:
    """Remove every crash report, and empty the log of the service, which goes on writing into it.

    Nobody can tell which of their words came out of which file. Raises HomeUnavailable if one cannot be written.
    """
    try:
        for report in home.crashes.iterdir() if home.crashes.is_dir() else ():
            if not report.is_dir() or report.is_symlink():
                report.unlink(missing_ok=True)
        if home.sentinel_log.is_file():
            os.truncate(home.sentinel_log, 0)
    except OSError as exc:
        raise HomeUnavailable(
            "what the home reports about errors cannot be erased",
            where=str(exc.filename or home.path),
            why=exc.strerror or str(exc),
        ) from exc
