"""The rows of one quarantine group: shown as they were, or written to a file."""

from __future__ import annotations

from casparian_flow.operations.limits import PageSize
from casparian_flow.operations.quarantine.causes import GroupEntry
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ShowGroup(Request, frozen=True, kw_only=True):
    """One group by its reference or a unique beginning of it, and how many of its rows."""

    group: str
    rows: PageSize = 20


class RejectedRow(Reply, frozen=True, kw_only=True):
    """One rejected row under its address: where it stands in which file, what it held, and every reason."""

    row: str | None
    path: str
    source_row: int | None
    start: int | None
    end: int | None
    locator: str | None
    message: str
    errors: list[str]
    values: str | None
    raw: str | None
    job: str


class GroupDetail(Reply, frozen=True, kw_only=True):
    """One group with its rows; `rows` may be cut, the group's own count never is."""

    group: GroupEntry
    rows: list[RejectedRow]


class ExportGroup(Request, frozen=True, kw_only=True):
    """One group, and the file that all its rows are written to."""

    group: str
    to: str


class Exported(Reply, frozen=True, kw_only=True):
    """What was written."""

    path: str
    rows: int


OPERATIONS = (
    Operation(
        "quarantine.show",
        ShowGroup,
        GroupDetail,
        Effect.READ,
        "quarantine.rows.show",
        "The rows of one cause, as they were.",
    ),
    Operation(
        "quarantine.export",
        ExportGroup,
        Exported,
        Effect.READ,
        "quarantine.rows.export",
        "Write the rows of one cause to a file.",
        writes=("to",),
    ),
)
