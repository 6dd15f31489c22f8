"""Compares the rows of a committed table with typed truth, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

Row = Sequence[Any]


def values_of(table: pa.Table) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns that are not the product's own, and the rows in the order of the source."""
    if "_cf_source_row" in table.column_names:
        table = table.sort_by("_cf_source_row")
    names = [name for name in table.column_names if not name.startswith("_cf_")]
    rows = [tuple(row[name] for name in names) for row in table.select(names).to_pylist()]
    return names, rows


def is_same(found: Any, true: Any) -> bool:
    """Whether a value is the true one, and of its kind: `True` is not 1, `'7'` is not 7."""
    if isinstance(true, Decimal):
        return found == (float(true) if isinstance(found, float) else true) and not isinstance(found, str)
    if isinstance(true, datetime):
        if not isinstance(found, datetime):
            return False
        offset = found.utcoffset() or timedelta()
        return found.replace(tzinfo=None) - offset == true
    if isinstance(true, date):
        return type(found) is date and found == true
    return type(found) is type(true) and found == true


def differences(table: pa.Table, names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """What is not as it should be, at most ten things."""
    found_names, found = values_of(table)
    if found_names != list(names):
        return [f"columns are {found_names}, not {list(names)}"]
    problems = [f"{len(found)} rows, not {len(rows)}"] if len(found) != len(rows) else []
    for number, (row, true) in enumerate(zip(found, rows, strict=False), start=1):
        for name, value, wanted in zip(names, row, true, strict=True):
            if not is_same(value, wanted):
                problems.append(f"row {number}, {name}: {value!r:.80}, not {wanted!r:.80}")
    return problems[:10]
