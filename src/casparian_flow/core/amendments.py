"""The typed operations that a contract is changed by."""

from __future__ import annotations

import msgspec

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.drift import Axis, Mode
from casparian_flow.core.rules import Rule
from casparian_flow.core.tolerances import Tolerance
from casparian_flow.core.treatments import Sensitivity, Treatment


class _Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="op"):
    """The base: immutable, told apart by `op`."""


class Add(_Operation, frozen=True, kw_only=True, tag="add"):
    """A column more, behind those that are there."""

    column: ContractColumn


class Widen(_Operation, frozen=True, kw_only=True, tag="widen"):
    """A type that holds every value of the one before, and others; `format` is the whole new one."""

    column: str
    type: str
    format: str | None = None


class Narrow(_Operation, frozen=True, kw_only=True, tag="narrow"):
    """Another type, of which nobody says that it holds the values of the one before."""

    column: str
    type: str
    format: str | None = None


class Rename(_Operation, frozen=True, kw_only=True, tag="rename"):
    """A new name; files that have the old one fit as before."""

    column: str
    to: str


class Relax(_Operation, frozen=True, kw_only=True, tag="relax"):
    """Either `column` may be null from now on, or the rule called `rule` goes, or becomes `to`, which allows more."""

    column: str | None = None
    rule: str | None = None
    to: Rule | None = None


class Tighten(_Operation, frozen=True, kw_only=True, tag="tighten"):
    """Either `column` may never be null from now on, or `rule` is a new rule, or takes the place of its name."""

    column: str | None = None
    rule: Rule | None = None


class Drop(_Operation, frozen=True, kw_only=True, tag="drop"):
    """A column less; what files have in it is rescued as that of any unknown column."""

    column: str


class Reclassify(_Operation, frozen=True, kw_only=True, tag="reclassify"):
    """Another class of a column, and what becomes of its values; without a treatment, what the class asks for."""

    column: str
    sensitivity: Sensitivity
    treatment: Treatment | None = None
    argument: str | None = None


class SetDrift(_Operation, frozen=True, kw_only=True, tag="set_drift"):
    """The table's own mode on an axis; None: that of the settings."""

    axis: Axis
    mode: Mode | None = None


class SetTolerance(_Operation, frozen=True, kw_only=True, tag="set_tolerance"):
    """The table's own tolerances instead of those it has; none: that of the settings."""

    tolerances: tuple[Tolerance, ...] = ()


Op = Add | Widen | Narrow | Rename | Relax | Tighten | Drop | Reclassify | SetDrift | SetTolerance
