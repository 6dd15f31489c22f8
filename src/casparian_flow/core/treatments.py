"""What becomes of the values of a classed column: in tables, and everywhere else."""

from __future__ import annotations

import re
from enum import StrEnum

from casparian_flow.core.errors import UsageError


class Sensitivity(StrEnum):
    """The class of a column, the least sensitive first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105 - the word, not one


class Treatment(StrEnum):
    """What is written into the table instead of the value."""

    KEEP = "keep"
    DROP = "drop"
    """Nothing: the table has no such column."""
    NULL = "null"
    FIXED = "fixed"
    """The same text for every value."""
    PARTIAL = "partial"
    """The first and the last few characters."""
    PSEUDONYM = "pseudonym"
    """A keyed digest: equal values stay equal within a home, and say nothing outside of it."""


CLOSED = frozenset({Sensitivity.PERSONAL, Sensitivity.SECRET})
"""Classes whose values stand in no quarantine, sample, message or log."""
BY_CLASS: dict[Sensitivity, Treatment] = {
    Sensitivity.PUBLIC: Treatment.KEEP,
    Sensitivity.INTERNAL: Treatment.KEEP,
    Sensitivity.PERSONAL: Treatment.KEEP,
    Sensitivity.SECRET: Treatment.PSEUDONYM,
}
"""What happens in tables where a column does not say it itself."""
CHANGING = frozenset({Treatment.DROP, Treatment.NULL, Treatment.FIXED, Treatment.PARTIAL})
"""Treatments after which two values can no longer be told apart, so that they are nobody's key."""
TEXTUAL = frozenset({Treatment.FIXED, Treatment.PARTIAL, Treatment.PSEUDONYM})
"""Treatments that leave text, whatever the column's type."""

LONGEST_FIXED = 200
_PARTIAL = re.compile(r"(\d{1,3})-(\d{1,3})")


def treatment_in_force(sensitivity: str, treatment: Treatment | None) -> Treatment:
    """What happens to a column of that class which asks for that treatment, or for none."""
    return BY_CLASS[Sensitivity(sensitivity)] if treatment is None else treatment


def is_closed(sensitivity: str) -> bool:
    """Whether values of that class are to be seen nowhere but in their table."""
    return sensitivity in CLOSED


def parts_kept(argument: str) -> tuple[int, int]:
    """How many characters PARTIAL keeps at the beginning and at the end; raises UsageError if that is not said."""
    found = _PARTIAL.fullmatch(argument)
    if found is None:
        raise UsageError(f"{argument!r} does not say how much is kept", fix="FIRST-LAST, such as 3-4")
    return int(found[1]), int(found[2])


def check_treatment(sensitivity: str, treatment: Treatment | None, argument: str | None) -> None:
    """Raises UsageError unless the class is known and the treatment has exactly the argument that it needs."""
    if sensitivity not in frozenset(Sensitivity):
        raise UsageError(f"there is no class {sensitivity!r}", fix=f"one of: {' '.join(Sensitivity)}")
    if treatment in (Treatment.FIXED, Treatment.PARTIAL):
        if argument is None or len(argument) > LONGEST_FIXED:
            raise UsageError(f"{treatment} needs a text of at most {LONGEST_FIXED} characters")
        if treatment is Treatment.PARTIAL:
            parts_kept(argument)
    elif argument is not None:
        raise UsageError(f"{treatment or 'a class without a treatment'} takes no argument")
