"""Polluted delimited files go through the whole product without an option, and come out as what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.outputs import Role
from product import Product, ProductHere
from typed_rows import differences
from unseen_delimited import KINDS, Unseen, make_all

SEED = 20240607
"""Of other files of these kinds `test_read_equals_run.py` says that they are read as what they are meant to say."""


class Loaded:
    """A product that ran over the files made."""

    def __init__(self, product: Product, files: Path, made: dict[str, Unseen]) -> None:
        self.product = product
        self.files = files
        self.made = made
        self.tables = product.tables()
        self.quarantines = product.tables(Role.QUARANTINE)

    def problems(self, one: Unseen) -> list[str]:
        """What came out otherwise than it should."""
        if one.names is None:
            return [f"there is a table {one.table}"] if one.table in self.tables else []
        wanted = [(one.table, one.names, one.rows)]
        wanted += [(f"{one.table}__{ending}", names, rows) for ending, names, rows in one.more]
        found = []
        for table, names, rows in wanted:
            if table not in self.tables:
                found.append(f"there is no table {table}")
            else:
                found += differences(self.product.table(table), names, rows)
        rejected = self.product.table(one.table, Role.QUARANTINE).num_rows if one.table in self.quarantines else 0
        return found + ([f"{rejected} rejected, not {one.rejected}"] if rejected != one.rejected else [])


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """One folder with a file of every kind, run once, and the tables that came of it."""
    folder = tmp_path_factory.mktemp("corpus")
    product = ProductHere(folder / "home")
    (folder / "files").mkdir()
    made = dict(zip(KINDS, make_all(SEED), strict=True))
    for one in made.values():
        (folder / "files" / one.file).write_bytes(one.data)
    product.run(str(folder / "files"))
    return Loaded(product, folder / "files", made)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_read_as_what_it_says(loaded: Loaded, kind: str) -> None:
    one = loaded.made[kind]
    assert loaded.problems(one) == [], one.file


def test_no_table_comes_of_nothing(loaded: Loaded) -> None:
    expected = {one.table for one in loaded.made.values()}
    expected |= {f"{one.table}__{ending}" for one in loaded.made.values() for ending, _, _ in one.more}
    assert set(loaded.tables) <= expected


def test_sql_counts_the_rows_that_are_there(loaded: Loaded) -> None:
    tables = {one.table: len(one.rows) for one in loaded.made.values() if one.names and one.rows}
    query = " UNION ALL ".join(f"SELECT '{table}' AS name, count(*) AS n FROM {table}" for table in tables)
    answer = loaded.product("sql", query, "--json", expect=[0]).json
    assert {row["name"]: row["n"] for row in answer["rows"]} == tables


def test_sql_gives_typed_values(loaded: Loaded) -> None:
    one = loaded.made["plain"]
    answer = loaded.product("sql", "SELECT id, name, ok, code, note FROM plain ORDER BY id", "--json", expect=[0]).json
    found = [tuple(row.values()) for row in answer["rows"]]
    assert found == [(row[0], row[1], row[5], row[6], row[7]) for row in one.rows]


def test_a_second_run_does_nothing_and_one_changed_file_is_one_job(loaded: Loaded) -> None:
    assert loaded.product.run(str(loaded.files))["run"] == 0
    with (loaded.files / "plain.csv").open("ab") as file:
        file.write(b"99,Added Later,1.25,2024-05-06,2024-05-06 07:08:09,true,009,\n")
    again = loaded.product.run(str(loaded.files))
    assert (again["run"], again["accepted"]) == (1, len(loaded.made["plain"].rows) + 1)
