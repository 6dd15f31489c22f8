"""Homes that one process makes at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from casparian_flow.store.database import Database
from casparian_flow.store.migrate import expected_fingerprint, live_fingerprint


def test_threads_make_databases_at_the_same_time(tmp_path: Path) -> None:
    def made(number: int) -> str:
        database = Database(tmp_path / f"{number}.sqlite3")
        try:
            return live_fingerprint(database.connection)
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(made, range(8))) == {expected_fingerprint()}
