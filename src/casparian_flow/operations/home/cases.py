"""Cases: those that this user made or used, the one in use, and what one holds."""

from __future__ import annotations

from casparian_flow.operations.home.status import OpenQuarantine, TableStatus
from casparian_flow.operations.registry import Effect, Operation, Reply, Request
from casparian_flow.operations.source.sources import SourceEntry


class ListCases(Request, frozen=True, kw_only=True):
    """Every case on this user's list."""


class CaseEntry(Reply, frozen=True, kw_only=True):
    """One case. `is_here`: commands in the current folder are about it; `is_chosen`: so are those outside any case."""

    name: str
    path: str
    examiner: str
    created: str | None
    is_here: bool
    is_chosen: bool
    is_missing: bool


class CaseList(Reply, frozen=True, kw_only=True):
    """All cases, in the order in which they were made or first used."""

    cases: list[CaseEntry]


class UseCase(Request, frozen=True, kw_only=True):
    """A case by its name or its folder; none goes back to the user's own home."""

    case: str | None = None


class CaseUsed(Reply, frozen=True, kw_only=True):
    """The home for commands that find no nearer one; null is the user's own."""

    name: str | None
    home: str | None


class ShowCase(Request, frozen=True, kw_only=True):
    """The case that the command is about."""


class CaseDetail(Reply, frozen=True, kw_only=True):
    """One case. `disk` are bytes by what they are kept for."""

    name: str
    home: str
    examiner: str
    created: str | None
    sources: list[SourceEntry]
    tables: list[TableStatus]
    quarantine: OpenQuarantine
    disk: dict[str, int]


OPERATIONS = (
    Operation(
        "case.list", ListCases, CaseList, Effect.READ, "home.cases.list_cases", "Cases made or used.", is_local=True
    ),
    Operation(
        "case.use",
        UseCase,
        CaseUsed,
        Effect.EXECUTE,
        "home.cases.use",
        "Choose a case for later commands.",
        is_local=True,
    ),
    Operation(
        "case.show", ShowCase, CaseDetail, Effect.READ, "home.cases.show", "What a case holds and takes on disk."
    ),
)
