"""What runs did, as events of OpenLineage in a file."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ExportLineage(Request, frozen=True, kw_only=True):
    """The file, `-` for standard output, and since when runs ended: `24h`, `7d`, a date or a time; else all."""

    to: str
    since: str | None = None
    overwrite: bool = False


class LineageExported(Reply, frozen=True, kw_only=True):
    """What was written, one event a line; `path` is null for standard output."""

    path: str | None
    runs: int
    events: int


OPERATIONS = (
    Operation(
        "lineage.export",
        ExportLineage,
        LineageExported,
        Effect.READ,
        "lineage.events.export",
        "Write what runs did as events of OpenLineage.",
        writes=("to",),
    ),
)
