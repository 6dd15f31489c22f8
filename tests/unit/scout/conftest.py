from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    home = tmp_path / "home"
    home.mkdir()
    database = Database(home / "state.sqlite3")
    yield database
    database.close()


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    return folder
