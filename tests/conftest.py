"""Fixtures that many suites share."""

from __future__ import annotations

from pathlib import Path

import pytest

from product import Product

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """The product over an empty home."""
    return Product(tmp_path / "home")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample files; tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real sample files is not there: ../shared/data")
    return SHARED
