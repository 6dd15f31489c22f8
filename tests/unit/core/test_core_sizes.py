"""Sizes and conditions on them, as people write them."""

from __future__ import annotations

import pytest

from casparian_flow.core.errors import UsageError
from casparian_flow.core.sizes import parse_range, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512", 512), ("10MB", 10**7), ("1.5 kB", 1500), ("4GiB", 2**32), ("2k", 2000), ("1b", 1)],
)
def test_a_size_is_read_with_its_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "1XB", "1e9", "999999999999999T", "1..5k"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [(">1k", 1001, None), (">=1k,<1M", 1000, 999_999), ("<= 10", 0, 10), ("=0", 0, 0), ("<1kB >=5", 5, 999)],
)
def test_a_condition_is_a_range(text: str, least: int, most: int | None) -> None:
    found = parse_range(text)
    assert found.least == least and (most is None or found.most == most)
    assert found.holds(least) and not found.holds(least - 1)


@pytest.mark.parametrize("text", ["", "5", ">", ">1k<", "between", ">2k,<1k", ">=1k or 5"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_range(text)
