"""The commits of one table: when rows came and went, and who took it back."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ShowHistory(Request, frozen=True, kw_only=True):
    """One table; without a sink, the one that a query means."""

    table: str
    sink: str | None = None


class HistoryEntry(Reply, frozen=True, kw_only=True):
    """One commit. `snapshot` names the table after it; `seq` and `quarantine_seq` are its entries in the two logs.

    `action` is append, replace, retire, revert or compact. `added`, `removed` and `rows` are about accepted rows, the
    others about quarantined ones. `jobs` are those whose rows came by it, which were sealed together; `job` is the one
    that leads them, null where nothing was read. `reverts_to` is the snapshot or `reverts_job` the job that a revert
    is about, `reason` why; `actor` is who reverted or merged files. Without `is_visible` the entry is
    permitted and its sink could not be written yet.
    """

    snapshot: int
    at: str
    action: str
    job: str | None
    jobs: list[str]
    added: int
    removed: int
    rows: int
    quarantine_added: int
    quarantine_removed: int
    quarantined: int
    seq: int | None
    quarantine_seq: int | None
    reverts_to: int | None
    reverts_job: str | None
    actor: str | None
    reason: str | None
    is_visible: bool


class TableHistory(Reply, frozen=True, kw_only=True):
    """The commits of one table in one sink, newest first."""

    table: str
    sink: str
    commits: list[HistoryEntry]


OPERATIONS = (
    Operation(
        "output.history", ShowHistory, TableHistory, Effect.READ, "output.history.history", "Every commit of a table."
    ),
)
