"""What a query shows of rows right after the contract of their table has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from product import ProductHere

SINKS = ("parquet://out", "csv://out", "duckdb://out.duckdb", "sqlite://out.db")


@pytest.mark.slow
@pytest.mark.parametrize("sink", SINKS)
def test_a_query_shows_the_columns_of_the_contract_as_soon_as_it_is_approved(
    product_here: ProductHere, tmp_path: Path, sink: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    file = folder / "t.csv"
    file.write_text("a,b,d\n1,x,7\n2,y,8\n")
    scheme, _, path = sink.partition("://")
    to = ("--sink", f"{scheme}://{tmp_path / path}")
    product_here("run", str(folder), *to, expect=[0])
    file.unlink()  # so that nobody can read it again under the new contract
    product_here("scan", str(folder), expect=[0])
    asked = product_here(
        *("contract", "amend", "t", "--add", "c:string", "--add", "e:decimal(9,2)", "--rename", "a=x", "--drop", "d"),
        "--json",
        expect=[0],
    ).json
    product_here("approve", asked["proposal"]["id"], "--reason", "ticket 1", expect=[0])
    rows = product_here("sql", "SELECT * FROM t ORDER BY x", "--json", expect=[0]).json["rows"]
    own = [{name: value for name, value in row.items() if not name.startswith("_cf_")} for row in rows]
    assert own == [{"x": 1, "b": "x", "c": None, "e": None}, {"x": 2, "b": "y", "c": None, "e": None}]
    assert {"_cf_rescued", "_cf_job_id", "_cf_source_row"} <= set(rows[0])
    assert product_here("sql", "SELECT sum(x) AS x FROM t WHERE c IS NULL", "--json", expect=[0]).json["rows"] == [
        {"x": 3}
    ]
    assert "d" in product_here("sql", "SELECT d FROM t", expect=[1]).err
    job = rows[0]["_cf_job_id"]
    before = product_here("sql", "SELECT a, d FROM t ORDER BY a", "--as-of", str(job), "--json", expect=[0]).json
    assert before["rows"] == [{"a": 1, "d": 7}, {"a": 2, "d": 8}]
    # A file of the new contract stands beside rows of the old one.
    file.with_name("t_2.csv").write_text("x,b,c,e\n3,z,new,1.25\n")
    product_here("run", str(folder), *to, expect=[0])
    rows = product_here("sql", "SELECT x, b, c, e FROM t ORDER BY x", "--json").json
    assert [list(row.values()) for row in rows["rows"]][2] == [3, "z", "new", "1.25"]
