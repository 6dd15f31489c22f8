"""Log lines for programs: one JSON object per line, named for what happened."""

from __future__ import annotations

import json
import logging
from typing import Any, TextIO

from casparian_flow.core.times import rfc3339
from casparian_flow.core.traces import trace

ROOT = "casparian_flow"
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class Log:
    """Writes events, `noun.verb` in the past, with values; `bind` adds values to every later one."""

    def __init__(self, logger: logging.Logger, bound: dict[str, Any] | None = None) -> None:
        self._logger = logger
        self._bound = bound or {}

    def bind(self, **values: Any) -> Log:
        """A log that says these values with every event, such as the job's id."""
        return Log(self._logger, self._bound | values)

    def debug(self, event: str, **values: Any) -> None:
        """Something that only helps to find a fault."""
        self._write(logging.DEBUG, event, values)

    def info(self, event: str, **values: Any) -> None:
        """Something that happened as it should."""
        self._write(logging.INFO, event, values)

    def warning(self, event: str, **values: Any) -> None:
        """Something that a person should look at."""
        self._write(logging.WARNING, event, values)

    def error(self, event: str, **values: Any) -> None:
        """Something that failed."""
        self._write(logging.ERROR, event, values)

    def _write(self, level: int, event: str, values: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"values": self._bound | values})


def get_log(name: str) -> Log:
    """The log of a module; pass `__name__`."""
    return Log(logging.getLogger(name))


def set_up(stream: TextIO, verbosity: int) -> None:
    """Send log lines to the stream: warnings, with 1 also what happened, with 2 everything."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonLines())
    logger = logging.getLogger(ROOT)
    logger.handlers = [handler]
    logger.setLevel(LEVELS[min(verbosity, 2)])
    logger.propagate = False


class _JsonLines(logging.Formatter):
    """ASCII only, so that nothing in a file's name can act on a terminal; of an exception its kind and places alone."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": rfc3339(int(record.created * 1000) * 1_000_000),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "from": record.name,
            **getattr(record, "values", {}),
        }
        if record.exc_info:
            error = record.exc_info[1]
            line["error"] = "" if error is None else trace(error)
        return json.dumps(line, default=str)
