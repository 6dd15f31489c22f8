"""Death inside a sink: between two of the steps by which it changes files, whoever is at it is gone."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from casparian_flow.sinks.duckdb_file import DuckDBConnection
from casparian_flow.sinks.sqlite_file import SQLiteConnection

_CALLS = ("mkdir", "fsync", "link", "unlink", "rmdir")
_STATEMENTS = ("rows", "add", "load")


class Died(BaseException):
    """The process was killed here. Nothing of it happens any more, no clean-up either."""


class Mortality:
    """How likely a step at the disk is the last one; a dead process changes nothing more."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.rate = 0.0
        self.deaths = 0
        self._is_at_risk = False
        self._is_dead = False

    @contextmanager
    def at_risk(self) -> Iterator[None]:
        """What is done in the block may be cut short at any step; raises Died then."""
        self._is_at_risk = True
        try:
            yield
        finally:
            self.deaths += self._is_dead
            self._is_at_risk = self._is_dead = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Every step of the sinks of this process is counted with."""
        with ExitStack() as stack:
            for name in _CALLS:
                stack.enter_context(patch.object(os, name, self._mortal(getattr(os, name))))
            for kind in (DuckDBConnection, SQLiteConnection):
                for name in _STATEMENTS:
                    stack.enter_context(patch.object(kind, name, self._mortal(getattr(kind, name))))
            yield

    def _mortal(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self._is_at_risk and not _is_lock(args):
                self._is_dead = self._is_dead or self._chance.random() < self.rate
                if self._is_dead:
                    raise Died
            return real(*args, **options)

        return call


def _is_lock(args: tuple[Any, ...]) -> bool:
    """The kernel lets go of a dead process's locks; here that takes the clean-up."""
    return isinstance(args[0], str | os.PathLike) and os.fspath(args[0]).endswith(".lock")
