"""The lines about a job's receipt that every answer about the job has: what else would say is shown nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from casparian_flow.clients.cli.render import plain
from casparian_flow.operations.query.shown_sql import rescued_rows

if TYPE_CHECKING:
    from casparian_flow.operations.job.jobs import JobDetail

MOST_COLUMNS = 5


def receipt_lines(detail: JobDetail) -> Iterator[str]:
    """Why its parser was not copied, if it never is, and which values were rescued."""
    receipt = detail.receipt or {}
    level, _, why = str(receipt.get("isolation", "")).partition(": ")
    if why:
        yield f"{level:<9} {plain(why)}"
    for count in receipt.get("counts", ()):
        if rescued := count.get("rescued"):
            table = count["table"]
            extra = [
                note["column"]
                for note in receipt.get("drift", ())
                if note["table"] == table and note["axis"] == "new_column"
            ]
            yield f"rescued   {rescued:,} values of {plain(table)}{_of(extra)}: {plain(rescued_rows(table))}"


def _of(columns: list[str]) -> str:
    if not columns:
        return ""
    more = f" and {len(columns) - MOST_COLUMNS:,} more" if len(columns) > MOST_COLUMNS else ""
    return f", of {', '.join(map(plain, columns[:MOST_COLUMNS]))}{more}"
