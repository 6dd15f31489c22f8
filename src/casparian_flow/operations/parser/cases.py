"""Tries a parser on its cases, or on files: in a real guest, with nothing kept."""

from __future__ import annotations

import msgspec

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class TryParser(Request, frozen=True, kw_only=True):
    """A parser by name or path, and what to try it on: files, a folder of cases, or else its own `cases/`."""

    parser: str
    files: tuple[str, ...] = ()
    cases: str | None = None
    options: dict[str, str] = msgspec.field(default_factory=dict)


class Tried(Reply, frozen=True, kw_only=True):
    """One file through the parser. `outcome` is passed, read (nothing was expected), mismatch or error.

    `missing` and `unexpected` are the first records that differ from what the case expects. `rereads` are those of a
    parser that says `rereads="spans"` which differ when they are read by themselves; only the whole file has a `-`.
    """

    name: str
    outcome: str
    rows: dict[str, int]
    rejected: dict[str, int]
    verdicts: dict[str, str]
    missing: list[str]
    unexpected: list[str]
    rereads: list[str]
    printed: list[str]
    error: str | None


class ParserTest(Reply, frozen=True, kw_only=True):
    """Every file that was tried."""

    parser: str
    tried: list[Tried]


OPERATIONS = (
    Operation(
        "parser.test",
        TryParser,
        ParserTest,
        Effect.READ,
        "parser.cases.try_on_cases",
        "Try a parser on its cases or on files.",
        reads=("parser", "files", "cases"),
    ),
)
