"""Finds the rows that one record of a file became, in every table and in quarantine."""

from __future__ import annotations

from casparian_flow.operations.registry import Reply


class RowFault(Reply, frozen=True, kw_only=True):
    """One thing that did not fit: the code, where it is known the column, and what was there instead of what."""

    code: str
    column: str | None
    expected: str | None
    observed: str | None


class FoundRow(Reply, frozen=True, kw_only=True):
    """One row under its address. `values` are its columns as text.

    What was wrong with a rejected row say `message` and `faults`, one for each column that did not fit; `start` and
    `end` are the bytes of the record in its file where they are known, `locator` names it where they mean nothing, and
    `raw` is what stood there, cut, if it could not be taken apart.
    """

    row: str
    table: str
    role: str
    job: str
    contract: int
    sink: str
    start: int | None
    end: int | None
    locator: str | None
    message: str | None
    faults: list[RowFault]
    raw: str | None
    values: dict[str, str | None]
