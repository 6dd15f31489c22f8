"""The door of one asker at a sentinel: what changes much has its turn alone, what is prompt never waits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from casparian_flow.clients.control import Control, unheard
from casparian_flow.core.errors import UsageError
from casparian_flow.operations.registry import Reply, Request

if TYPE_CHECKING:
    from casparian_flow.operations.context import Report
    from casparian_flow.operations.doing.service.served_home import ServedHome

PROMPT = frozenset(
    {
        "jobs.cancel",
        "jobs.priority",
        "jobs.retry",
        "parser.resume",
        "sentinel.stop",
        "token.add",
        "token.revoke",
        "watch.remove",
        "worker.drain",
        "worker.remove",
    }
)
"""Operations that change a few rows at once, or only leave word with the sentinel."""
UNHURRIED = frozenset({"output.compact"})
"""Operations that take long and see to it themselves that they are in nobody's way."""
CHANGES_WATCHES = frozenset({"watch.add", "watch.remove"})
HELD_BY_COMMANDS = frozenset({"watch.follow"})
"""Operations by which a command holds the home itself."""


class ServedDoor:
    """Asks the operations of a home for one asker."""

    def __init__(
        self, served: ServedHome, cwd: Path, actor: str, watches_changed: Callable[[], None] = lambda: None
    ) -> None:
        """`watches_changed` is called when a watch was added or removed."""
        self._served = served
        self._watches_changed = watches_changed
        self._cwd = cwd
        self._actor = actor

    def ask(self, name: str, request: Request, report: Report = unheard) -> Reply:
        """The operation's reply, or its error."""
        reply = self._control(name).ask(name, request, report)
        if name in CHANGES_WATCHES:
            self._watches_changed()
        return reply

    def attempt(self, name: str, request: Request) -> Reply:
        """The reply that `ask` would give, with nothing changed."""
        return self._control(name).attempt(name, request)

    def _control(self, name: str) -> Control:
        if name in HELD_BY_COMMANDS:
            raise UsageError(
                "a sentinel keeps its watches itself, and this one holds the home",
                where=str(self._served.home.path),
                fix="casparian run --watch DIR",
            )
        acting = partial(self._served.open_acting, self._cwd, self._actor, alone=name not in PROMPT | UNHURRIED)
        return Control(partial(self._served.open_reading, self._cwd), acting)
