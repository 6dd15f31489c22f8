"""The promises of the product, each seen from outside with the command alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from casparian_flow.core.outputs import Role
from product import Product

ROWS = "id,amount\n1,2.5\n2,3.5,too,many\n3,4.5\n"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "sales.csv").write_text(ROWS)
    return folder


def reason_of(product: Product) -> str:
    query = "SELECT reason FROM cf_processing_queue ORDER BY id DESC LIMIT 1"
    return product("sql", query, "--json", expect=[0]).json["rows"][0]["reason"]


CHANGES: list[tuple[str, Callable[[Path], object], list[str]]] = [
    ("bytes_changed", lambda corpus: (corpus / "sales.csv").write_text(ROWS + "4,5.5\n"), []),
    ("config_changed", lambda corpus: None, ["--option", "delimiter=,"]),
    ("target_changed", lambda corpus: None, ["--sink", "parquet://elsewhere"]),
    ("forced", lambda corpus: None, ["--force"]),
]


@pytest.mark.invariant(6)
def test_work_is_skipped_until_something_it_depends_on_changes(product_here: Product, corpus: Path) -> None:
    assert product_here.run(str(corpus))["run"] == 1
    assert reason_of(product_here) == "new"
    assert product_here.run(str(corpus))["skipped"] == {"up_to_date": 1}
    given: list[str] = []
    for reason, change, options in CHANGES:
        change(corpus)
        given += [text.replace("elsewhere", f"{product_here.home.parent}/elsewhere") for text in options]
        assert product_here.run(str(corpus), *given)["run"] == 1, reason
        assert reason_of(product_here) == reason
        again = [text for text in given if text != "--force"]
        assert product_here.run(str(corpus), *again)["skipped"] == {"up_to_date": 1}, reason


@pytest.mark.invariant(8)
def test_every_emitted_row_is_accepted_or_quarantined_with_its_bytes(product: Product, corpus: Path) -> None:
    reply = product.run(str(corpus))
    assert (reply["accepted"], reply["quarantined"]) == (2, 1)
    accepted, rejected = product.table("sales"), product.table("sales", Role.QUARANTINE)
    assert accepted["_cf_source_row"].to_pylist() == [1, 3]
    assert rejected["raw"].to_pylist() == [b"2,3.5,too,many\n"]
    start, end = rejected["start"][0].as_py(), rejected["end"][0].as_py()
    assert (corpus / "sales.csv").read_bytes()[start:end] == b"2,3.5,too,many\n"


@pytest.mark.invariant(5)
def test_a_row_leads_back_to_its_job_bytes_and_parser_in_target_and_home(product: Product, corpus: Path) -> None:
    product.run(str(corpus))
    row = product.table("sales").slice(0, 1).to_pylist()[0]
    query = f"SELECT source_hash, plugin_name, state FROM cf_processing_queue WHERE id = {row['_cf_job_id']}"
    job = product("sql", query, "--json", expect=[0]).json["rows"][0]
    assert job == {"source_hash": row["_cf_source_hash"], "plugin_name": "delimited", "state": "completed"}


@pytest.mark.invariant(4)
def test_mode_error_refuses_a_table_that_has_rows_and_changes_nothing(product: Product, corpus: Path) -> None:
    product.run(str(corpus))
    before = product.content()
    (corpus / "sales.csv").write_text(ROWS + "4,5.5\n")
    refused = product("run", str(corpus), "--mode", "error")
    assert refused.code == 1 and "output-exists" in refused.err
    assert product.content() == before


@pytest.mark.invariant(4)
def test_mode_replace_leaves_only_the_rows_of_its_run(product: Product, corpus: Path, tmp_path: Path) -> None:
    product.run(str(corpus))
    other = tmp_path / "other"
    other.mkdir()
    (other / "sales.csv").write_text("id,amount\n7,8.5\n")
    product.run(str(other), "--mode", "replace")
    assert product.table("sales")["id"].to_pylist() == [7]


@pytest.mark.invariant(7)
def test_a_file_whose_parser_fails_is_shown_as_failed_and_brings_no_rows(product: Product, corpus: Path) -> None:
    parser = corpus.parent / "broken.py"
    parser.write_text(
        "from casparian_flow.sdk import PluginMetadata\n"
        "MANIFEST = PluginMetadata(pattern='*.csv', topic='sales')\n"
        "def parse(path):\n"
        "    yield 'sales', [{'id': 1}]\n"
        "    raise ValueError('half way')\n"
    )
    reply = product.run(str(corpus), "--parser", str(parser))
    assert (reply["completed"], reply["failed"]) == (0, 1)
    listed = product("files", "--json", expect=[0]).json["files"]
    assert [each["state"] for each in listed] == ["failed"]
    assert product.tables() == []
