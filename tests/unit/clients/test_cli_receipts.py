"""What the answers about a job say of its receipt."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from casparian_flow.clients.cli.receipts import receipt_lines
from casparian_flow.operations.job.jobs import JobDetail


def lines_of(receipt: dict[str, Any] | None) -> list[str]:
    return list(receipt_lines(cast("JobDetail", SimpleNamespace(receipt=receipt))))


def test_why_a_parser_is_never_copied_is_said_without_what_would_paint_the_terminal() -> None:
    level = "process: fresh, because its imports start threads: \x1b[31mjeve"
    [line] = lines_of({"isolation": level})
    assert line.startswith("process   fresh, because its imports start threads: ")
    assert "\x1b" not in line


@pytest.mark.parametrize("level", ["process", "process:forked"])
def test_a_level_that_needs_no_reason_needs_no_line(level: str) -> None:
    assert lines_of({"isolation": level}) == []


def test_a_job_without_a_receipt_has_no_lines() -> None:
    assert lines_of(None) == []


def test_no_more_columns_are_named_than_a_line_takes() -> None:
    drift = [{"table": "t", "axis": "new_column", "column": f"c{number}"} for number in range(7)]
    elsewhere = {"table": "u", "axis": "new_column", "column": "other"}
    [line] = lines_of({"counts": [{"table": "t", "rescued": 1234}], "drift": [*drift, elsewhere]})
    assert line.startswith("rescued   1,234 values of t, of c0, c1, c2, c3, c4 and 2 more: casparian sql ")
