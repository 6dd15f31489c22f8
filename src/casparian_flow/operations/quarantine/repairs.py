"""Values that a person puts right by hand: for one row of one file, until it is revoked."""

from __future__ import annotations

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class RepairRow(Request, frozen=True, kw_only=True):
    """Which row, as HASH:RECORD or FILE:RECORD; the columns that are to hold something else, null for no value.

    A record that could not be split into columns is written out: what is not given is null. The table must be given
    where several tables have a row of that place. A repair of a row that has one is made in its place; any other row
    that was accepted is refused.
    """

    row: str
    values: dict[str, str | None]
    reason: str
    table: str | None = None


class RepairEntry(Reply, frozen=True, kw_only=True):
    """One repair: the row, both values of each column, by whom and why. `revoked` is when it ceased to hold."""

    id: int
    row: str
    path: str
    table: str
    parser: str
    before: dict[str, str | None]
    after: dict[str, str | None]
    author: str
    reason: str
    made: str
    revoked: str | None


class Repaired(RepairEntry, frozen=True, kw_only=True):
    """A repair that was made or taken back, and `next`, the run that reads its file as it was read last.

    `nulls` are the columns of a record that was written out for which no value was given: they hold nothing.
    """

    nulls: list[str]
    next: str


class ListRepairs(Request, frozen=True, kw_only=True):
    """Those that hold, or with `with_revoked` all."""

    with_revoked: bool = False


class RepairList(Reply, frozen=True, kw_only=True):
    """Repairs, the newest first."""

    repairs: list[RepairEntry]


class RevokeRepair(Request, frozen=True, kw_only=True):
    """Which repair."""

    repair: int


OPERATIONS = (
    Operation(
        "quarantine.repair",
        RepairRow,
        Repaired,
        Effect.DRAFT,
        "quarantine.repairs.repair",
        "Put the values of one row right.",
    ),
    Operation(
        "repair.list", ListRepairs, RepairList, Effect.READ, "quarantine.repairs.list_", "Values that were put right."
    ),
    Operation(
        "repair.revoke",
        RevokeRepair,
        Repaired,
        Effect.DRAFT,
        "quarantine.repairs.revoke",
        "Take a repair back.",
    ),
)
