"""A column is closed after files were read: what the home said of its values in words is gone, in every place."""

from __future__ import annotations

import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from planted import places_of
from product import Product, ProductHere

PARSER = """
    import pyarrow as pa
    from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows, Verdict

    MANIFEST = PluginMetadata(
        pattern="*.staff",
        outputs={
            "staff": [Column("name"), Column("age", "int64"), Column("pin", "int64")],
            "visits": [Column("page"), Column("seconds", "int64")],
        },
    )

    def parse(path):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        print("these are the rows", rows)
        yield Verdict("last", rows[-1][2])
        if rows[0][0] == "boom":
            raise ValueError("cannot read " + repr(rows))
        for start, row in enumerate(rows):
            if row[0] == "odd":
                text = ",".join(row)
                yield Rejected("staff", "cf.staff.odd", text, start, start + 1, raw=text.encode())
                yield Rejected("visits", "cf.staff.odd", text, start, start + 1, raw=text.encode())
        good = [row for row in rows if row[0] != "odd"]
        yield Rows("staff", pa.table({n: [row[i] for row in good] for i, n in enumerate(["name", "age", "pin"])}))
        yield Rows("visits", pa.table({"page": ["p"], "seconds": ["soon"], "who": [rows[0][2]]}))
"""
FILES = {
    "a.staff": ["ann,31,77123409", "bob,no,88234510", "cat,7,PIN-Gamma-31", "odd,7,PIN-Delta-47"],
    "b.staff": ["boom,8,PIN-Boom-99"],
}
SAID = ("88234510", "PIN-Gamma-31", "PIN-Delta-47", "PIN-Boom-99", "66778899")
"""What stands in no accepted row, and so is in clear in words alone."""


@pytest.fixture
def product(product_here: ProductHere, tmp_path: Path) -> ProductHere:
    """Files that were read while nobody knew that `pin` is secret, with a repair and a backtest."""
    product = product_here
    parser, folder = tmp_path / "staff.py", tmp_path / "in"
    parser.write_text(textwrap.dedent(PARSER))
    folder.mkdir()
    for name, lines in FILES.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    product("run", str(folder), "--parser", str(parser), expect=(1, 3))
    product("quarantine", "repair", f"{folder}/a.staff:4", "--table", "staff", "--set", "pin=66778899",
            "--reason", "by phone", expect=(0,))  # fmt: skip
    return product


def clear_in(product: Product) -> list[str]:
    """Where any of the values stands but in the rows of targets."""
    roots = [each for each in product.home.iterdir() if each.name not in ("outputs", "quarantine")]
    return places_of(SAID, roots)


def columns_with(product: Product) -> set[str]:
    """The columns of the database in which any of the values stands."""
    found = set()
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            read = database.execute(f'SELECT * FROM "{table}"')
            names = [each[0] for each in read.description]
            for row in read.fetchall():
                found |= {
                    f"{table}.{name}" for name, held in zip(names, row, strict=True)
                    if any(value in str(held) for value in SAID)
                }  # fmt: skip
    return found


def close_pin(product: Product) -> None:
    drafted = product("contract", "amend", "staff", "--reclassify", "pin=secret", "--json", expect=(0,)).json
    product("approve", drafted["proposal"]["id"], "--reason", "ticket 7", expect=(0, 1, 3))


def test_what_the_home_said_of_a_column_that_is_closed_is_gone(product: Product) -> None:
    assert columns_with(product) >= {
        "cf_job_logs.text", "cf_jobs.error_message", "cf_jobs.receipt", "cf_quarantine_groups.message",
        "cf_quarantine_groups.sample", "cf_repairs.after", "cf_repairs.before", "cf_verdicts.value",
        "schema_drift.samples",
    }  # fmt: skip
    close_pin(product)
    assert columns_with(product) == set()
    assert clear_in(product) == []


def test_what_is_said_of_open_columns_stays(product: Product) -> None:
    close_pin(product)
    groups = product("quarantine", "--json").json["groups"]
    said = {each["column"]: each["message"] for each in groups if each["column"]}
    assert said["age"] == "age: expected int64, found 'no'"
    assert said["pin"] == "pin: expected int64, found '‹secret 12 chars›'"
    assert said["seconds"] == "seconds: expected int64, found 'soon'"


@pytest.mark.slow
def test_rows_of_a_cause_that_was_closed_are_shown_with_nothing_of_what_they_held(
    product: Product, tmp_path: Path
) -> None:
    (before,) = [each for each in product("quarantine", "--json").json["groups"] if each["column"] == "pin"]
    shown = product("quarantine", "show", before["group"], "--json").json["rows"]
    assert "PIN-Gamma-31" in str(shown)
    drafted = product("contract", "amend", "staff", "--reclassify", "pin=secret", "--json", expect=(0,)).json
    (tmp_path / "in" / "a.staff").unlink()
    product("approve", drafted["proposal"]["id"], "--reason", "ticket 7", expect=(7,))  # no file to read again
    after = product("quarantine", "show", before["group"], "--json", expect=(0,))
    (row,) = after.json["rows"]
    assert row["row"] == shown[0]["row"]
    assert row["message"] == "pin: expected int64, found '‹secret 12 chars›'"
    raw = product("quarantine", "show", before["group"], "--raw", "--json", expect=(0,))
    out = tmp_path / "closed.jsonl"
    assert product("quarantine", "export", before["group"], str(out), "--json", expect=(0,)).json["rows"] == 1
    assert not [each for each in SAID if each in after.out + raw.out + out.read_text()]


def test_a_repair_that_holds_a_closed_value_is_revoked_and_its_row_is_rejected_again(product: Product) -> None:
    close_pin(product)
    assert product("repair", "list", "--json").json["repairs"] == []
    (gone,) = product("repair", "list", "--revoked", "--json").json["repairs"]
    assert gone["after"] == {"pin": "‹secret 8 chars›"} and gone["revoked"] is not None
    assert sorted(product.table("staff")["name"].to_pylist()) == ["ann"]
