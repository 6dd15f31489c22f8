from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.store.database import Database
from casparian_flow.store.migrate import expected_fingerprint, live_fingerprint
from scout_builders import Scouted


@pytest.fixture
def scouted(tmp_path: Path) -> Iterator[Scouted]:
    for name in ("home/x", "ev/a/log.csv", "ev/b/log.csv", "ev/b/only.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    database = Database(tmp_path / "home" / "state.sqlite3")
    scouted = Scouted(database, tmp_path / "ev")
    scouted.scan_and_tag()
    yield scouted
    database.close()


def test_a_new_home_has_the_schema_that_the_code_expects(scouted: Scouted) -> None:
    assert live_fingerprint(scouted.database.connection) == expected_fingerprint()
