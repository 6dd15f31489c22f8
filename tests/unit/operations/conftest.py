"""Homes for tests of operations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import HomeBuilder


@pytest.fixture
def past(tmp_path: Path) -> Iterator[HomeBuilder]:
    """An empty home to be given a past."""
    with HomeBuilder(tmp_path / "home") as builder:
        yield builder
