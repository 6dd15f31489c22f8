"""Fixtures that many suites share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from casparian_flow.guest.family import FAMILY
from casparian_flow.worker import guest
from product import Product, ProductHere
from warm_guests import forked_at, nursery

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"

settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")
"""The same examples every time, however loaded the machine is; `--hypothesis-profile=default` looks for new ones."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Those that may take longest come first in each half, so that neither process ends with one while the other idles.

    Of two processes each begins with a half, and takes from the end of the other's when it has none left.
    """
    usual = float(config.getini("timeout"))
    is_long = [any(_seconds(mark) > usual for mark in item.iter_markers("timeout")) for item in items]
    long = [item for item, is_so in zip(items, is_long, strict=True) if is_so]
    others = [item for item, is_so in zip(items, is_long, strict=True) if not is_so]
    middle = len(others) // 2
    items[:] = [*long[::2], *others[:middle], *long[1::2], *others[middle:]]


def _seconds(mark: pytest.Mark) -> float:
    """What a `timeout` marker allows, however it says so; nothing where it only says something else of it."""
    return float(mark.args[0] if mark.args else mark.kwargs.get("timeout") or 0)


@pytest.fixture(scope="session", autouse=True)
def no_list_of_cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands that tests run in this process neither read nor change the list of cases of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CASPARIAN_CASES", str(tmp_path_factory.mktemp("cases") / "cases.toml"))
        yield


@pytest.fixture(scope="session", autouse=True)
def nobody_is_adopted() -> Iterator[None]:
    """Commands that tests run in this process end no process that a test started: it is not theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FAMILY, "adopt", lambda: None)
        yield


@pytest.fixture
def product(tmp_path: Path) -> Product:
    """The product over an empty home."""
    return Product(tmp_path / "home")


@pytest.fixture
def warm_guests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guests of this process are forked off a warm interpreter: for tests that are not about how guests start."""
    monkeypatch.setattr(guest, "_start_fresh", forked_at(nursery()))


@pytest.fixture
def product_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ProductHere:
    """The product over an empty home, its commands read by this process."""
    monkeypatch.setattr("sys.stdin", None)
    monkeypatch.setenv("HOME", str(tmp_path))
    return ProductHere(tmp_path / "home")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real sample files; tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real sample files is not there: ../shared/data")
    return SHARED
