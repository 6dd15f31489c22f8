"""Init: a case folder, so that everything about one case is kept beside it."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class InitCase(Request, frozen=True, kw_only=True):
    """The folder in which the case lies, its name (by default the folder's) and who examines it."""

    folder: str = "."
    name: str | None = None
    examiner: str | None = None


class CaseMade(Reply, frozen=True, kw_only=True):
    """The home that commands in and below the folder use; `is_new` is false when it was there already.

    `not_listed` says why `case list` will not name it, null if it will.
    """

    home: str
    is_new: bool
    name: str
    examiner: str
    not_listed: str | None


OPERATIONS = (
    Operation("init", InitCase, CaseMade, Effect.EXECUTE, "home.init.init", "Make a case folder.", is_local=True),
)
