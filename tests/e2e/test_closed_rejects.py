"""Rows that were rejected in clear and cannot be read again show nothing of a column that was closed since."""

from __future__ import annotations

from pathlib import Path

import pytest

from product import ProductHere

pytestmark = pytest.mark.slow

SECRETS = ("7755331", "8844220")


@pytest.fixture(params=["parquet", "duckdb", "sqlite"])
def product(product_here: ProductHere, tmp_path: Path, request: pytest.FixtureRequest) -> ProductHere:
    """A file with rejected rows of open causes is gone when `ssn` is closed."""
    product, folder = product_here, tmp_path / "in"
    folder.mkdir()
    (folder / "people_1.csv").write_text("id,ssn\n1,1234567\n2,2345678\n")
    sink = [] if request.param == "parquet" else ["--sink", f"{request.param}://{tmp_path / 'out.db'}"]
    product("run", str(folder), *sink, expect=(0,))
    gone = folder / "people_2.csv"
    gone.write_text("id,ssn\n3,3456789\nx9,7755331\n4,8844220,more\n")
    product("run", str(folder), *sink, expect=(3,))
    gone.unlink()
    product("scan", str(folder), expect=(0, 3))
    drafted = product("contract", "amend", "people", "--reclassify", "ssn=secret", "--json", expect=(0,)).json
    product("approve", drafted["proposal"]["id"], "--reason", "ticket 7", expect=(0, 1, 3))
    return product


def assert_hidden(said: str) -> None:
    assert [secret for secret in SECRETS if secret in said] == []


def test_no_way_to_look_at_rejected_rows_shows_what_was_closed_since(product: ProductHere, tmp_path: Path) -> None:
    groups = product("quarantine", "--json").json["groups"]
    assert len(groups) == 2
    for number, group in enumerate(groups):
        shown = product("quarantine", "show", group["group"], "--json", expect=(0,))
        assert_hidden(shown.out)
        (row,) = shown.json["rows"]
        if group["column"] == "id":
            assert row["message"] == "id: expected int64, found 'x9'"
            assert row["values"] == '{"id":"x9","ssn":"‹secret 7 chars›"}'
            assert_hidden(product("why", row["row"], "--json", expect=None).out)
        assert_hidden(product("quarantine", "show", group["group"], "--raw", "--json", expect=None).out)
        to = tmp_path / f"{number}.csv"
        product("quarantine", "export", group["group"], str(to), expect=(0,))
        assert_hidden(to.read_text())
    to = tmp_path / "all.csv"
    product("export", "people", "--quarantine", "--to", str(to), expect=(0,))
    assert_hidden(to.read_text())
    found = product("sql", 'SELECT "values", raw, message, shape, errors FROM quarantine.people', "--json", expect=(0,))
    assert len(found.json["rows"]) == 2
    assert_hidden(found.out)


def test_what_was_rejected_under_the_contract_that_closes_stays_as_it_was_written(
    product: ProductHere, tmp_path: Path
) -> None:
    (tmp_path / "in" / "people_3.csv").write_text("id,ssn\ny7,9911223\n")
    product("run", str(tmp_path / "in"), expect=None)
    found = product("sql", "SELECT message FROM quarantine.people WHERE contract_version = 2", "--json", expect=(0,))
    assert found.json["rows"] == [{"message": "id: expected int64, found 'y7'"}]
