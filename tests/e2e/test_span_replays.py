"""A replay reads the bytes of rejected records alone, and comes out as if it had read the whole file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from test_replays import Ended, ends_at

from casparian_flow.core.outputs import Role
from casparian_flow.sentinel.queue import carrying as offering
from casparian_flow.worker import carrying, execute
from product import ProductHere

ROWS = 14_000
BAD = {5: '"NA"', 777: "1.25", ROWS - 2: '"-"'}
"""What stands in place of some numbers, by row."""
LIAR = '''"""Lines of a number; of spans it yields something else."""

from pathlib import Path

from casparian_flow.sdk import Column, Context, PluginMetadata, Rows

MANIFEST = PluginMetadata(
    pattern=["*.num"], rereads="spans", outputs={"numbers": [Column("line", "string"), Column("n", "int64")]}
)


def parse(path: Path, context: Context):
    at = 0
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if context.spans is None or number in [span.source_row for span in context.spans]:
            shown = number if context.spans is None else number + LIE
            yield Rows("numbers", [{"line": line, "n": line}], [shown], [at], [at + len(line)])
        at += len(line) + 1
'''


def line(row: int, bad: Mapping[int, str] = BAD) -> str:
    return f'{{"id": {row}, "name": "n{row % 7}", "note": "{"x" * 20}", "bytes": {bad.get(row, row * 3)}}}'


def landed(product: ProductHere, folder: Path, files: int = 1, rows: int = ROWS) -> Path:
    """A table of a clean file and of damaged ones."""
    data = folder / "in"
    data.mkdir()
    (data / "good.jsonl").write_text("".join(f"{line(row, {})}\n" for row in range(1, 4)))
    run(product, data)
    for number in range(files):
        rest = f'{{"id": {number}, "name": "", "note": "", "bytes": 1}}\n'
        (data / f"big_{number}.jsonl").write_text("".join(f"{line(row)}\n" for row in range(1, rows + 1)) + rest)
    assert run(product, data, expect=(3,))["quarantined"] == len([row for row in BAD if row <= rows]) * files
    return data


def run(product: ProductHere, data: Path, *words: str, expect: Sequence[int] = (0, 3)) -> Any:
    return product.run(str(data), "--table", "ev", *words, expect=expect)


def group(product: ProductHere, like: str) -> str:
    found = product("quarantine", "list", "--json", expect=[0]).json["groups"]
    return next(each["group"] for each in found if like in each["sample"])


def rejected(product: ProductHere) -> list[int]:
    return sorted(row["_cf_source_row"] for row in product.table("ev", Role.QUARANTINE).to_pylist())


def repair(product: ProductHere, path: Path, row: int, value: str) -> None:
    words = ("--set", f"bytes={value}", "--reason", "asked")
    product("quarantine", "repair", f"{path}:{row}", *words, expect=[0])


def carried(product: ProductHere) -> list[tuple[int, int, int]]:
    """Of each job that took rows over: how many, the bytes that it read, and which attempt it was."""
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as database:
        query = (
            "SELECT json_extract(receipt, '$.carried'), bytes_read, attempt FROM cf_jobs "
            "WHERE json_extract(receipt, '$.carries') IS NOT NULL ORDER BY id"
        )
        return database.execute(query).fetchall()


@pytest.mark.timeout(120)
def test_a_repair_reads_the_bytes_of_rejected_records_and_no_others(product_here: ProductHere, tmp_path: Path) -> None:
    data = landed(product_here, tmp_path)
    big = data / "big_0.jsonl"
    repair(product_here, big, 5, "15")
    cause = group(product_here, "NA")
    reply = product_here("quarantine", "replay", cause, "--json", expect=[3]).json
    assert (reply["released"], reply["accepted_lost"]) == (1, 0)
    spans = sum(len(line(row)) for row in BAD)
    assert carried(product_here) == [(ROWS + 1 - len(BAD), spans, 1)]
    assert rejected(product_here) == [row for row in BAD if row != 5]
    table = {row["id"]: row for row in product_here.table("ev").to_pylist() if row["_cf_source_row"] == row["id"]}
    assert (table[5]["bytes"], table[5]["_cf_rescued"][0]["code"]) == (15, "cf.repaired")
    assert all(table[row]["bytes"] == row * 3 for row in range(1, ROWS + 1) if row not in BAD)
    places = product_here.table("ev")["_cf_source_row"].to_pylist()
    assert sorted(places) == sorted([1, 2, 3, *(row for row in range(1, ROWS + 2) if row not in {*BAD} - {5})])
    shown = product_here("jobs", "show", "@last", expect=[0]).out
    assert f"read      {spans} B of " in shown
    assert f"{ROWS + 1 - len(BAD):,} accepted rows taken over" in shown
    assert f"read      {spans} B of " in product_here("replay", "show", "1", expect=[0]).out
    # A second value is put right; the row that holds the first one is taken over like any other.
    repair(product_here, big, 777, "16")
    product_here("quarantine", "replay", group(product_here, "1.25"), "--json", expect=[3])
    assert carried(product_here)[1:] == [(ROWS + 2 - len(BAD), spans - len(line(5)), 1)]
    before = product_here.content()
    again = product_here("quarantine", "replay", cause, "--json", expect=[0, 5])
    assert again.code == 5 or again.json["replay"] is None
    assert run(product_here, data)["run"] == 0
    run(product_here, data, "--force")
    assert product_here.content() == before


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_wider_column_takes_over_numbers_and_reads_the_others(product_here: ProductHere, tmp_path: Path) -> None:
    data = landed(product_here, tmp_path)
    asked = product_here(
        "contract", "amend", "ev", "--widen", "bytes:decimal(22,3)", "--reason", "x", "--json", expect=[0]
    ).json
    product_here("approve", asked["proposal"]["id"], "--reason", "x", expect=[0])
    assert [(rows, size) for rows, size, _ in carried(product_here)] == [
        (ROWS + 1 - len(BAD), sum(len(line(row)) for row in BAD))
    ]
    table = {row["_cf_source_row"]: row for row in product_here.table("ev").to_pylist() if row["note"]}
    assert (table[777]["bytes"], table[778]["bytes"]) == (Decimal("1.250"), Decimal("2334.000"))
    assert rejected(product_here) == [5, ROWS - 2]
    before = product_here.content()
    assert run(product_here, data)["run"] == 0
    run(product_here, data, "--force")
    assert product_here.content() == before


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are worth it, too."""
    monkeypatch.setattr(offering, "WORTH_BYTES", 0)
    monkeypatch.setattr(carrying, "SMALLEST_SHARE", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", range(6))
def test_a_replay_of_spans_that_ends_with_its_process_is_taken_to_its_end(
    product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    data = landed(product_here, tmp_path, files=3, rows=10)
    for number in range(3):
        repair(product_here, data / f"big_{number}.jsonl", 5, "15")
    cause = group(product_here, "NA")
    with monkeypatch.context() as patch:
        ends_at(patch, at)
        with pytest.raises(Ended):
            product_here("quarantine", "replay", cause)
    run(product_here, data)
    assert rejected(product_here) == []
    assert all(rows == 10 for rows, _, _ in carried(product_here))
    before = product_here.content()
    run(product_here, data, "--force")
    assert product_here.content() == before


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("lie", [0, 1])
def test_a_parser_that_reads_spans_otherwise_reads_the_whole_file_instead(
    product_here: ProductHere, tmp_path: Path, lie: int
) -> None:
    plugin = product_here.home / "plugins" / "numbers.py"
    plugin.parent.mkdir(parents=True, exist_ok=True)
    plugin.write_text(LIAR.replace("LIE", str(lie)))
    data = tmp_path / "in"
    data.mkdir()
    (data / "a.num").write_text("1\nx\n3\n")
    tried = product_here("parser", "test", str(plugin), "-i", str(data / "a.num"), "--json", expect=[7 * lie]).json
    [file] = tried["tried"]
    assert (file["outcome"], bool(file["rereads"])) == ("mismatch" if lie else "read", bool(lie))
    product_here.run(str(data), "--parser", "numbers", expect=[3])
    words = ("--set", "n=2", "--reason", "asked")
    product_here("quarantine", "repair", f"{data / 'a.num'}:2", *words, expect=[0])
    reply = product_here("quarantine", "replay", group(product_here, "x"), "--json", expect=[0]).json
    assert reply["released"] == 1
    assert sorted(product_here.table("numbers")["n"].to_pylist()) == [1, 2, 3]
    assert bool(carried(product_here)) is not bool(lie)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_rows_that_went_out_meanwhile_are_not_taken_over(
    product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = landed(product_here, tmp_path, rows=10)
    repair(product_here, data / "big_0.jsonl", 5, "15")
    monkeypatch.setattr(execute, "carried", going(product_here, carrying.carried))
    product_here("quarantine", "replay", group(product_here, "NA"), "--json", expect=[0, 3])
    assert carried(product_here) == []
    with closing(sqlite3.connect(product_here.home / "state.sqlite3")) as database:
        found = database.execute("SELECT attempt, carries, state FROM cf_jobs ORDER BY id DESC LIMIT 1").fetchone()
    assert found == (2, None, "completed")


def going(product: ProductHere, function: Callable[..., Any]) -> Callable[..., Any]:
    """The rows that a job is about to take over go out as soon as it has found them."""

    def call(order: Any, premises: Any) -> Any:
        found = function(order, premises)
        assert found is not None
        with closing(sqlite3.connect(product.home / "state.sqlite3")) as database, database:
            database.execute("UPDATE cf_materializations SET is_current = 0 WHERE job_id = ?", (found.job,))
        return found

    return call
