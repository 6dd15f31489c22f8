"""Options that stand for a parser and a table until somebody changes them."""

from __future__ import annotations

import msgspec

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class SetOptions(Request, frozen=True, kw_only=True):
    """The options to set and to unset, for files that ask for this table; without either nothing is changed."""

    parser: str
    table: str
    options: dict[str, str] = msgspec.field(default_factory=dict)
    unset: tuple[str, ...] = ()
    reason: str = ""


class StandingOptions(Reply, frozen=True, kw_only=True):
    """The options that stand now. `files` are there and were read for this table with others: the next run reads them.

    Nothing is read anew where the options are as they were.
    """

    parser: str
    table: str
    options: dict[str, str]
    is_changed: bool
    files: int


OPERATIONS = (
    Operation(
        "parser.set",
        SetOptions,
        StandingOptions,
        Effect.EXECUTE,
        "parser.options.set_",
        "Let options of a parser stand for a table.",
    ),
)
