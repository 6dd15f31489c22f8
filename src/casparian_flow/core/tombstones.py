"""What becomes of rows whose file is gone, and what stays of rows that are."""

from __future__ import annotations

from enum import StrEnum


class WhenMissing(StrEnum):
    """What a source does with the rows of a file that it has no more."""

    KEEP = "keep"
    RETIRE = "retire"
    """The rows leave the table; what it was before can still be read."""
    PURGE = "purge"
    """A person is asked to have them erased for good."""


def erased_behind(purge: str) -> str:
    """Why a proposal ended for which rows spoke that a purge erased."""
    return f"rows behind it were erased by {purge}"


class TombstoneAction(StrEnum):
    """How rows went."""

    RETIRED = "retired"
    PURGED = "purged"
    """All rows of a file, for good."""
    TRIMMED = "trimmed"
    """Some rejected rows of a file, for good; what else it brought stays."""
