"""`casparian demo` as a stranger runs it first."""

from __future__ import annotations

import os

from casparian_flow.lab.corpus import HOSTILE_NAME
from casparian_flow.operations.demo import JOURNEY
from product import Product


def test_the_demo_goes_as_expected_and_keeps_what_it_made_where_asked(product: Product, tmp_path) -> None:
    done = product("demo", "--keep", "case", "--json", cwd=tmp_path, expect=[0]).json
    assert done["is_as_expected"] and len(done["steps"]) == len(JOURNEY)
    assert all("\x1b" not in step["output"] for step in done["steps"])
    assert not product.home.exists(), "the demo used the person's own home"
    case = Product(tmp_path / "case" / ".casparian")
    assert set(case.tables()) >= {"orders", "events", "prices", "staff", "stock__items"}
    assert case.table("stock__items").num_rows == 22, "two of the rows stand only in the write-ahead log"
    assert case.run(str(tmp_path / "case" / "corpus"))["run"] == 0


def test_every_file_of_the_demo_has_its_reason(product: Product, tmp_path) -> None:
    product("demo", "--keep", str(tmp_path / "case"), "--json", expect=[0])
    listed = Product(tmp_path / "case" / ".casparian")("files", "--json", expect=[0]).json["files"]
    assert len(listed) == sum(len(files) for _, _, files in os.walk(tmp_path / "case" / "corpus"))
    assert all(each["reason"] for each in listed)
    assert next(each for each in listed if each["path"] == HOSTILE_NAME)["state"] == "done"


def test_a_folder_with_something_in_it_is_left_alone(product: Product, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert product("demo", "--keep", str(tmp_path)).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
