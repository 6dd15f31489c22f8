"""Secrets planted wherever a file and a parser can put them: they are found nowhere in clear."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Sequence
from pathlib import Path

import pytest

from casparian_flow.core.contracts import Contract
from casparian_flow.core.outputs import Role
from planted import disguises, places_of
from planted_people import MAILS, PARSER, ROWS, SECRETS, look
from product import Answer, Product, ProductHere


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


def run(product: Product, tmp_path: Path, sinks: Sequence[str]) -> Answer:
    """Files with secrets, read into these targets."""
    product.home.mkdir(mode=0o700)
    (product.home / "plugins").mkdir()
    (product.home / "plugins" / "people.py").write_text(textwrap.dedent(PARSER))
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    for name, lines in ROWS.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    named = [part for uri in sinks for part in ("--sink", uri)]
    return product("run", str(folder), "--parser", "people", *named, expect=(1, 3))


def sinks_of(product: Product) -> list[str]:
    """A target of every kind, inside the home, so that one look finds them all."""
    folder = product.home
    return [f"parquet://{folder}/p", f"csv://{folder}/c", f"sqlite://{folder}/s.sqlite", f"duckdb://{folder}/d.duckdb"]


def test_a_planted_secret_is_found_nowhere_in_clear(product: Product, tmp_path: Path) -> None:
    answer = run(product, tmp_path, sinks_of(product))
    said = [answer.out, answer.err, *look(product, tmp_path)]
    assert places_of(SECRETS, [product.home], said) == []
    assert places_of(["people"], [product.home], said), "what is there must be found"
    tables = [product.table("people", Role.ACCEPTED, sink) for sink in sinks_of(product)]
    for table in tables:
        rows = {row["name"]: row for row in table.to_pylist()}
        assert sorted(rows) == ["ann", "dan"]
        assert rows["ann"]["ssn"] == rows["dan"]["ssn"] and len(rows["ann"]["ssn"]) == 32
        assert (rows["ann"]["card"], rows["dan"]["card"]) == ("***3333", "***")
        assert rows["ann"]["mail"] == "ann@eta.example", "personal values stay in their table"
        assert (rows["ann"]["salary"], rows["ann"]["town"], "token" in rows["ann"]) == (None, "somewhere", False)
    not_in_tables = [text for text in said if "_cf_source_hash" not in text]
    assert places_of(MAILS[1:], [product.home], not_in_tables) == [], "and nowhere else"


UNIQUE = """
    import pyarrow as pa
    from casparian_flow.sdk import Column, PluginMetadata, Rows, Rule

    MANIFEST = PluginMetadata(
        outputs={"keys": [Column("n", "int64"), Column("ssn", "int64", sensitivity="secret")]},
        rules={
            "keys": [
                Rule("once", "unique", ["n", "ssn"], scope="table"),
                Rule("one", "unique", "ssn", scope="file"),
            ]
        },
    )

    def parse(path):
        lines = [line.split(",") for line in path.read_text().splitlines()]
        yield Rows("keys", pa.table({"n": [line[0] for line in lines], "ssn": [line[1] for line in lines]}))
"""


def test_keys_are_compared_as_pseudonyms_within_a_file_and_across_files(product: Product, tmp_path: Path) -> None:
    (tmp_path / "keys.py").write_text(textwrap.dedent(UNIQUE))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "1.keys").write_text("1,8812345671\n2,8812345671\n3,8812345672\n")
    product("run", str(folder), "--parser", str(tmp_path / "keys.py"), expect=(3,))
    (folder / "2.keys").write_text("1,8812345671\n4,8812345671\n")
    answer = product("run", str(folder), "--parser", str(tmp_path / "keys.py"), expect=(3,))
    kept = sorted(product.table("keys")["n"].to_pylist())
    assert kept == [1, 3, 4], "2 repeats a key of its file, and the second 1 one of the table"
    shown = product("quarantine", "--json")
    assert {each["column"] for each in shown.json["groups"]} == {"ssn", "n, ssn"}
    assert places_of(["881234567"], [product.home], [answer.out, answer.err, shown.out]) == []


@pytest.mark.slow
def test_the_search_finds_the_same_secrets_where_nothing_is_treated(
    product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Contract, "is_closed", False)
    run(product, tmp_path, sinks_of(product))
    found = places_of(SECRETS, [product.home], [product("quarantine").out])
    missed = [value for value in SECRETS if not any(place.startswith(value) for place in found)]
    assert not missed
    for kind in ("what was said", ".parquet", ".csv", "s.sqlite", "d.duckdb", "state.sqlite3"):
        assert any(kind in place for place in found), f"nothing in {kind}"


@pytest.mark.slow
def test_other_homes_have_other_pseudonyms(product: Product, tmp_path: Path) -> None:
    elsewhere = ProductHere(tmp_path / "elsewhere")
    values = []
    for each in (product, elsewhere):
        (sink, *_) = sinks_of(each)
        run(each, tmp_path, [sink])
        values.append(set(each.table("people", Role.ACCEPTED, sink)["ssn"].to_pylist()))
        key = each.home / "pseudonym.key"
        assert key.stat().st_mode & 0o777 == 0o600
    assert len(values[0]) == 1 and values[0].isdisjoint(values[1])


def test_a_value_is_found_in_every_disguise() -> None:
    forms = disguises("SSN-Alpha-0417")
    assert {b"SSN-Alpha-0417", b"53534e2d416c7068612d30343137"} <= forms
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + b"SSN-Alpha-0417" + b"yz")
        assert any(form in encoded for form in forms)
