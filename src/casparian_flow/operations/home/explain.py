"""Explain: the long form of every code, read from the package, so that it works anywhere."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class Explain(Request, frozen=True, kw_only=True):
    """One code: of an error, a reason or a rejection."""

    code: str


class ListCodes(Request, frozen=True, kw_only=True):
    """Every code."""


class Explanation(Reply, frozen=True, kw_only=True):
    """One code. `exit_code` and `can_retry` are null where the code is no error's; `action` is run or skip or null."""

    code: str
    kind: str
    meaning: str
    causes: list[str]
    steps: list[str]
    exit_code: int | None
    can_retry: bool | None
    action: str | None


class CodeEntry(Reply, frozen=True, kw_only=True):
    """One code in one line."""

    code: str
    kind: str
    meaning: str


class CodeList(Reply, frozen=True, kw_only=True):
    """Every code that can be explained."""

    codes: list[CodeEntry]


OPERATIONS = (
    Operation(
        "explain",
        Explain,
        Explanation,
        Effect.READ,
        "home.explain.explain",
        "The long form of one code.",
        is_local=True,
    ),
    Operation("explain.list", ListCodes, CodeList, Effect.READ, "home.explain.list_", "Every code.", is_local=True),
)
