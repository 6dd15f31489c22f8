"""`casparian demo` as a stranger runs it first."""

from __future__ import annotations

import os

import pytest

from casparian_flow.lab.corpora import DemoKind
from casparian_flow.lab.corpus import HOSTILE_NAME
from casparian_flow.operations.home.demo_journeys import JOURNEY, JOURNEYS
from product import Product


def test_the_demo_goes_as_expected_keeps_what_it_made_where_asked_and_gives_every_file_a_reason(
    product: Product, tmp_path
) -> None:
    done = product("demo", "--keep", "case", "--json", cwd=tmp_path, expect=[0]).json
    assert done["is_as_expected"] and len(done["steps"]) == len(JOURNEY)
    assert all("\x1b" not in step["output"] for step in done["steps"])
    assert not product.home.exists(), "the demo used the person's own home"
    assert not (tmp_path / ".casparian_flow").exists(), "the demo's case is on the person's list"
    case = Product(tmp_path / "case" / ".casparian")
    assert set(case.tables()) >= {"orders", "events", "prices", "staff", "stock__items"}
    assert case.table("stock__items").num_rows == 22, "two of the rows stand only in the write-ahead log"
    assert case.run(str(tmp_path / "case" / "corpus"))["run"] == 0
    listed = case("files", "--json", expect=[0]).json["files"]
    assert len(listed) == sum(len(files) for _, _, files in os.walk(tmp_path / "case" / "corpus"))
    assert all(each["reason"] for each in listed)
    assert next(each for each in listed if each["path"] == HOSTILE_NAME)["state"] == "done"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["csv", "dfir", "logs"])
def test_the_demo_of_each_kind_goes_as_expected(product: Product, tmp_path, kind: str) -> None:
    done = product("demo", "--kind", kind, "--json", cwd=tmp_path, expect=[0]).json
    assert done["is_as_expected"] and len(done["steps"]) == len(JOURNEYS[DemoKind(kind)])
    assert all("\x1b" not in step["output"] for step in done["steps"])


def test_a_folder_with_something_in_it_is_left_alone(product: Product, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert product("demo", "--keep", str(tmp_path)).code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
