"""What an operation on a contract is called where people read it."""

from __future__ import annotations

from casparian_flow.core.amendments import (
    Add,
    Drop,
    Narrow,
    Op,
    Reclassify,
    Relax,
    Rename,
    SetDrift,
    SetTolerance,
    Tighten,
    Widen,
)
from casparian_flow.core.rule_text import rule_text
from casparian_flow.core.tolerances import Tolerance


def verb_of(operation: Op) -> str:
    """The one word for it, such as `add`."""
    return str(operation.__struct_config__.tag)


def described(operation: Op) -> str:
    """The operation in a few words, such as `add zone string null`."""
    match operation:
        case Add(column=column):
            typed = f"{column.type} {column.format}" if column.format else column.type
            return f"add {column.name} {typed} {'null' if column.nullable else 'notnull'}"
        case Widen() | Narrow():
            typed = f"{operation.type} {operation.format}" if operation.format else operation.type
            return f"{verb_of(operation)} {operation.column} to {typed}"
        case Rename():
            return f"rename {operation.column} to {operation.to}"
        case Relax(column=str(column)):
            return f"relax {column} null"
        case Relax():
            return f"drop rule {operation.rule}" if operation.to is None else f"relax {rule_text(operation.to)}"
        case Tighten():
            what = f"{operation.column} notnull" if operation.rule is None else rule_text(operation.rule)
            return f"tighten {what}"
        case Drop():
            return f"drop {operation.column}"
        case Reclassify():
            asked = [operation.sensitivity, *filter(None, (operation.treatment, operation.argument))]
            return f"reclassify {operation.column} as {':'.join(asked)}"
        case SetDrift():
            return f"drift {operation.axis} {operation.mode or 'as in the settings'}"
        case SetTolerance():
            return f"tolerance {'; '.join(map(tolerance_text, operation.tolerances)) or 'as in the settings'}"


def tolerance_text(tolerance: Tolerance) -> str:
    """A tolerance as `contract amend --tolerance` takes it."""
    limits = []
    if tolerance.rows is not None:
        limits.append(f"rows={tolerance.rows}")
    if tolerance.ratio is not None:
        limits.append(f"ratio={tolerance.ratio:g}")
        # Said even where it is the default: a file of fewer rows is not held, however many of them are rejected.
        limits.append(f"sample={tolerance.min_sample}")
    return ",".join([*limits, f"per={tolerance.per}", f"then={tolerance.outcome}"])
