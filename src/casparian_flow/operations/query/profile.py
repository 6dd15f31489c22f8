"""What the columns of a table hold: counts, nulls, distinct values, extremes and the commonest values."""

from __future__ import annotations

from casparian_flow.operations.limits import Seconds
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class ProfileTables(Request, frozen=True, kw_only=True):
    """One table, `quarantine.TABLE` for its quarantine, or every output table. `seconds` limits each query."""

    table: str | None = None
    seconds: Seconds = 60.0


class ColumnProfile(Reply, frozen=True, kw_only=True):
    """One column. `type` is the contract's where it has the column, `count` is of values that are not null.

    `distinct` is an estimate unless `is_exact`; then the commonest values are likely ones, but their counts are exact.
    Lengths are those of text in characters. Values are text, cut at 200 characters.
    """

    table: str
    column: str
    type: str
    rows: int
    count: int
    nulls: int
    distinct: int
    is_exact: bool
    min: str | None
    max: str | None
    min_length: int | None
    max_length: int | None
    top: list[str]
    top_counts: list[int]


class TableProfiles(Reply, frozen=True, kw_only=True):
    """The columns of one table or of all, without the lineage columns."""

    columns: list[ColumnProfile]


OPERATIONS = (
    Operation(
        "tables.profile",
        ProfileTables,
        TableProfiles,
        Effect.READ,
        "query.profile.profile",
        "What the columns of tables hold.",
    ),
)
