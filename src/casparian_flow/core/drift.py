"""The axes on which a file can differ from its contract, and the modes that say what happens then.

A mode says what happens to the rows now; only `propose` and `evolve` draft a change of the contract besides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from casparian_flow.core.errors import UsageError
from casparian_flow.core.hashing import PREFIX, digest_of_json


class Axis(StrEnum):
    """In which way a file differs."""

    NEW_OUTPUT = "new_output"
    NEW_COLUMN = "new_column"
    MISSING_COLUMN = "missing_column"
    TYPE = "type"
    NULLABILITY = "nullability"
    RULE = "rule"


class Mode(StrEnum):
    """What happens then."""

    PROPOSE = "propose"
    """The safe thing of the axis, and a draft that a person decides."""
    EVOLVE = "evolve"
    """As `propose`; a change that keeps every row and every reader is applied without a person."""
    FREEZE = "freeze"
    """The job fails, and its file is held."""
    QUARANTINE_ROW = "quarantine_row"
    """The row goes to quarantine."""
    RESCUE_VALUE = "rescue_value"
    """The value is kept aside in `_cf_rescued`, and the row is accepted."""


ALLOWED: dict[Axis, frozenset[Mode]] = {
    Axis.NEW_OUTPUT: frozenset(Mode) - {Mode.RESCUE_VALUE},
    Axis.NEW_COLUMN: frozenset(Mode),
    Axis.MISSING_COLUMN: frozenset(Mode) - {Mode.RESCUE_VALUE},
    Axis.TYPE: frozenset(Mode),
    Axis.NULLABILITY: frozenset(Mode) - {Mode.RESCUE_VALUE},
    Axis.RULE: frozenset(Mode) - {Mode.EVOLVE},
}
"""There is no value to rescue where one is missing or a table is; a rule is never loosened by the data alone."""

DRAFTING = frozenset({Mode.PROPOSE, Mode.EVOLVE})
"""The modes under which drift drafts a change."""

Overrides = tuple[tuple[Axis, Mode], ...]
"""What one table says itself; each axis at most once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """The mode of every axis. Made without arguments it is what holds where nobody said anything."""

    new_output: Mode = Mode.PROPOSE
    new_column: Mode = Mode.PROPOSE
    missing_column: Mode = Mode.QUARANTINE_ROW
    type: Mode = Mode.PROPOSE
    nullability: Mode = Mode.PROPOSE
    rule: Mode = Mode.PROPOSE

    def of(self, axis: Axis) -> Mode:
        """What happens on that axis."""
        mode: Mode = getattr(self, axis.value)
        return mode

    def with_overrides(self, overrides: Iterable[tuple[Axis, Mode]]) -> Modes:
        """The effective modes of a table that says these itself."""
        return replace(self, **{axis.value: mode for axis, mode in overrides})

    @property
    def digest(self) -> str:
        """Names what happened on every axis: kept with a job that had drift or rejections."""
        return digest_of_json(["modes", {field.name: getattr(self, field.name) for field in fields(self)}])


BUILT_IN = Modes()


def frozen_at(contract_hash: str, modes: str) -> str:
    """What a frozen table was when a file differed: as long as it is that, reading the file again fails again.

    `modes` is the digest of the effective ones.
    """
    return digest_of_json(["frozen", contract_hash, modes]).removeprefix(PREFIX)[:16]


def check_mode(axis: Axis, mode: Mode) -> None:
    """Raises UsageError where the axis does not allow the mode."""
    if mode not in ALLOWED[axis]:
        raise UsageError(
            f"{axis} cannot be {mode}", fix=f"one of: {' '.join(each for each in Mode if each in ALLOWED[axis])}"
        )


def check_overrides(overrides: Overrides) -> None:
    """Raises UsageError unless a table may say these: an output that is new has no contract yet that could say it."""
    axes = [axis for axis, _ in overrides]
    if len(set(axes)) < len(axes):
        raise UsageError(f"{next(axis for axis in axes if axes.count(axis) > 1)} is given twice")
    if Axis.NEW_OUTPUT in axes:
        raise UsageError(
            "a table cannot say what happens to outputs that have none", fix="casparian config set drift.new_output"
        )
    for axis, mode in overrides:
        check_mode(axis, mode)
