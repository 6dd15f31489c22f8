"""How many rows may be rejected, of what, and what happens beyond that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from casparian_flow.core.errors import UsageError


class Per(StrEnum):
    """Over which rows it is counted."""

    FILE = "file"
    """All rows of a file, whatever their table."""
    OUTPUT = "output"
    """A file's rows of this table."""
    RUN = "run"
    """The rows of this table that a run has brought so far."""


class Outcome(StrEnum):
    """What happens to a file that goes beyond it."""

    CONTINUE = "continue"
    HOLD = "hold"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """A limit of rejected rows: a count, or a share; both may be given.

    The share counts once there are `min_sample` rows: fewer are tolerated, however many of them are rejected.
    """

    rows: int | None = None
    ratio: float | None = None
    min_sample: int = 100
    per: Per = Per.FILE
    outcome: Outcome = Outcome.HOLD


def check_tolerances(tolerances: Iterable[Tolerance]) -> None:
    """Raises UsageError for a tolerance that says nothing, and for numbers that cannot be meant."""
    for each in tolerances:
        if each.rows is None and each.ratio is None:
            raise UsageError("a tolerance has a number of rows, a ratio, or both")
        if (each.rows is not None and each.rows < 0) or each.min_sample < 1:
            raise UsageError("a tolerance counts rows from 0 up, and needs a sample of at least one")
        if each.ratio is not None and not 0.0 <= each.ratio <= 1.0:
            raise UsageError(f"a ratio lies between 0 and 1, not at {each.ratio}")
