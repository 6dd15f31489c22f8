"""Pauses a parser that fails again and again by its own doing, so that it does not fail on every other file too."""

from __future__ import annotations

from sqlalchemy import Connection

from casparian_flow.core.jobs import PAUSED
from casparian_flow.store import job_ends
from casparian_flow.store import parsers as parser_store
from casparian_flow.store.engine import AnyRow

FAILURES = 5
"""So many jobs in a row."""
OWN_FAILURES = frozenset({"parser-raised", "parser-crashed", "parser-timed-out", "parser-broke-protocol"})
"""Not that it refused a file, that a file or a target could not be read or written, or that its worker was lost."""


class Breaker:
    """Counts per artifact, in the store; each job counts once, since such a failure is for good."""

    def __init__(self) -> None:
        self._failing: dict[int, bool] = {}

    def failed(self, connection: Connection, parser: int, code: str, now_ns: int) -> list[AnyRow]:
        """A job ended with that code; the queued jobs that are refused because the parser is paused now."""
        if code not in OWN_FAILURES:
            return []
        self._failing[parser] = True
        failures = parser_store.count_failure(connection, parser)
        if failures < FAILURES or not parser_store.pause(connection, parser, now_ns):
            return []
        return list(
            job_ends.reject_queued(
                connection,
                parser,
                now_ns,
                code=PAUSED,
                message=f"its parser is paused after {failures} failures in a row",
                why="casparian parser resume lets it run again",
            )
        )

    def landed(self, connection: Connection, parser: int) -> None:
        """A job of the parser was recorded."""
        if self._failing.get(parser, True):
            parser_store.clear_failures(connection, parser)
            self._failing[parser] = False
