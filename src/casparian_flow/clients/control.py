"""The one door of every front end: a name and a request in, a reply out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from casparian_flow.operations.index import find
from casparian_flow.operations.registry import Effect, Reply, Request

if TYPE_CHECKING:
    from casparian_flow.operations.context import Report

OpenReading = Callable[[], AbstractContextManager[Any]]
"""Gives the `Reading` that a `read` operation looks at."""
OpenActing = Callable[["Report"], AbstractContextManager[Any]]
"""Gives the `Acting` under which any other operation works; its progress goes to the report."""


def unheard(_event: str, _values: dict[str, object]) -> None:
    """The report of an asker who does not watch."""


class Control:
    """Asks the operations of one home, here in this process."""

    def __init__(self, reading: OpenReading, acting: OpenActing) -> None:
        self._reading = reading
        self._acting = acting

    def ask(self, name: str, request: Request, report: Report = unheard) -> Reply:
        """The operation's reply, or its error; whatever it needed is closed again by then."""
        operation = find(name)
        opened = self._reading() if operation.effect is Effect.READ else self._acting(report)
        with opened as context:
            reply: Reply = operation.function(context, request)
        return reply

    def attempt(self, name: str, request: Request) -> Reply:
        """The reply that `ask` would give, with nothing changed; only for operations that may be tried."""
        operation = find(name)
        if not operation.may_be_tried:
            raise ValueError(f"{name} changes more than can be taken back")
        with self._acting(unheard) as acting, acting.database.undone():
            reply: Reply = operation.function(acting, request)
        return reply
