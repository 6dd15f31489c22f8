"""A DuckDB file is filled within a limit of memory, which leaves room for the columns of wide tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from casparian_flow.sinks.duckdb_file import MEMORY_MB, DuckDB, DuckDBConnection


def limit_mb(file: DuckDBConnection) -> float:
    ((text,),) = file.rows("SELECT current_setting('memory_limit')")
    number, unit = text.split()
    return float(number) * {"MiB": 1 << 20, "GiB": 1 << 30}[unit] / 1e6


def fill(file: DuckDBConnection, folder: Path, table: str, columns: int) -> None:
    names = [f"c{at}" for at in range(columns)]
    staged = folder / f"{table}.parquet"
    pq.write_table(pa.table({name: np.arange(5) for name in names}), staged)
    file.rows(f"CREATE TABLE {table} ({', '.join(f'{name} BIGINT' for name in names)})")
    file.load(table, names, [staged])


def test_an_engine_may_hold_little_and_more_only_for_a_wide_table(tmp_path: Path) -> None:
    engine, path = DuckDB(), tmp_path / "rows.duckdb"
    engine.create(path)
    with engine.writing(path) as file:
        assert limit_mb(file) < MEMORY_MB + 1
        fill(file, tmp_path, "narrow", 3)
        assert limit_mb(file) < MEMORY_MB + 5
        fill(file, tmp_path, "wide", 700)
        fill(file, tmp_path, "narrow_too", 3)
        assert limit_mb(file) > MEMORY_MB + 690
    with engine.writing(path) as file:
        fill(file, tmp_path, "narrow_again", 3)
        assert limit_mb(file) < MEMORY_MB + 5
    with engine.reading(path) as file:
        assert file.rows("SELECT sum(c699) FROM wide") == [(10,)]
