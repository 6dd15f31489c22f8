"""Homes that one process migrates at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from casparian_flow.store.engine import make_engine
from casparian_flow.store.migrate import expected_fingerprint, live_fingerprint, upgrade


def test_threads_migrate_databases_at_the_same_time(tmp_path: Path) -> None:
    def made(number: int) -> str:
        engine = make_engine(tmp_path / f"{number}.sqlite3", read_only=False)
        try:
            with engine.connect() as connection:
                upgrade(connection)
                return live_fingerprint(connection)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(made, range(8))) == {expected_fingerprint()}
