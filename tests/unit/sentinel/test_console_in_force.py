"""Rows that earlier contracts wrote, as the one in force shows them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.sentinel.console.in_force import shown_under
from casparian_flow.sentinel.console.limits import QueryLimits, TableSource
from casparian_flow.sentinel.console.session import run_query


@pytest.fixture
def source(tmp_path: Path) -> TableSource:
    """Two files, of which the older one has `a` where the newer one has `x`."""
    old = pa.table({"a": [1, 2], "d": ["p", "q"], "_cf_job_id": [7, 7]})
    new = pa.table({"x": [3], "d": ["r"], "_cf_job_id": [8]})
    for name, table in {"old": old, "new": new}.items():
        pq.write_table(table, tmp_path / name)
    schema = pa.unify_schemas([new.schema, old.schema])
    return TableSource(
        schema_name="",
        name="t",
        columns=schema.names,
        files=[str(tmp_path / "old"), str(tmp_path / "new")],
        schema=schema.serialize().to_pybytes(),
    )


def rows(source: TableSource, *columns: ContractColumn) -> list[dict[str, object]]:
    found = shown_under(source, Contract("t", 2, columns))
    answer = run_query("SELECT * FROM t ORDER BY ALL", [found], QueryLimits())
    return answer.table.to_pylist()


def test_a_renamed_column_shows_the_values_of_either_name(source: TableSource) -> None:
    assert rows(source, ContractColumn("x", "int64", aliases=("a",)), ContractColumn("c", "date")) == [
        {"x": 1, "c": None, "_cf_job_id": 7},
        {"x": 2, "c": None, "_cf_job_id": 7},
        {"x": 3, "c": None, "_cf_job_id": 8},
    ]


def test_an_older_name_that_another_column_has_now_is_that_column_alone(source: TableSource) -> None:
    own = (ContractColumn("x", "int64", aliases=("a",)), ContractColumn("a", "int64"))
    assert [(row["x"], row["a"]) for row in rows(source, *own)] == [(3, None), (None, 1), (None, 2)]
