"""What a person is told of the form of a value, who wrote one that its column does not take."""

from __future__ import annotations

import pytest

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.operations.doing.quarantine.value_form import fits, meant_by


@pytest.mark.parametrize(
    ("type_", "pattern", "text", "said"),
    [
        ("date", "%d.%m.%Y", "2026-03-04", "--set 'the day=04.03.2026' in place of --set 'the day=2026-03-04'"),
        ("date", "%d.%m.%Y", "04.13.2026", "a value such as 31.12.2026"),
        ("date", None, "04.03.2026", "a value such as 2026-12-31"),
        (
            "timestamp",
            "%d/%b/%Y %H:%M:%S",
            "2026-03-04T05:06:07",
            "--set 'the day=04/Mar/2026 05:06:07' in place of --set 'the day=2026-03-04T05:06:07'",
        ),
        ("timestamp", "%d.%m.%Y %H:%M", "2026-03-04T05:06:07", "a value such as 31.12.2026 23:59"),
        ("timestamp_tz(UTC)", None, "soon", "a value such as 2026-12-31T23:59:58Z"),
        ("time", None, "noon", "a value such as 23:59:58"),
        ("int64", None, "1,5", "a value such as 12"),
        ("decimal(5,2)", None, "1,5", "a value such as 12"),
        ("decimal(2,2)", None, "1,5", ""),
        ("boolean", None, "ja", "a value such as true"),
    ],
)
def test_what_is_meant_is_offered_in_the_form_of_the_column_else_an_example(
    type_: str, pattern: str | None, text: str, said: str
) -> None:
    column = ContractColumn("the day", type_, format=pattern)
    assert not fits(text, column)
    assert meant_by(text, column) == said
