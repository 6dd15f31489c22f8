"""Many small files land in few data files and log entries, and each of them can still be told from all the others."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from product import Product

FILES = 120
BAD = {7, 40}

SLOW = """
import time


def parse(path):
    yield "lines", [{"name": path.stem}]
    seen, go = path.parent.parent / "seen", path.parent.parent / "go"
    until = time.monotonic() + 60
    while seen.exists() and time.monotonic() < until and not go.exists():
        time.sleep(0.02)
    seen.touch()
"""


def write_files(folder: Path, count: int = FILES) -> Path:
    folder.mkdir(parents=True)
    for at in range(count):
        bad = "oops,1,extra\n" if at in BAD else ""
        (folder / f"sales_{at:03}.csv").write_text(f"id,amount\n{at},1.5\n{bad}{at + 1000},2.5\n")
    return folder


def names(home: Path, pattern: str) -> list[Path]:
    return sorted((home / "outputs" / "sales").glob(pattern))


@pytest.mark.invariant(3)
def test_small_files_share_files_and_each_can_be_told(product: Product, tmp_path: Path) -> None:
    data = write_files(tmp_path / "data")
    first = product.run(str(data))
    assert (first["completed"], first["accepted"], first["quarantined"]) == (FILES, 2 * FILES, len(BAD))
    data_files, entries = names(product.home, "v1/*.parquet"), names(product.home, "_cf/log/*.json")
    assert len(data_files) == len(entries) < FILES  # on an idle machine three: groups are closed by time, too

    table = product.table("sales")
    by_job: dict[int, list[int]] = {}
    for row in table.select(["_cf_job_id", "id"]).to_pylist():
        by_job.setdefault(row["_cf_job_id"], []).append(row["id"])
    assert sorted(by_job.values()) == [[at, at + 1000] for at in range(FILES)]

    jobs = product("jobs", "--limit", str(2 * FILES), "--json", expect=[0]).json["jobs"]
    assert {job["state"] for job in jobs} == {"completed"}
    receipt = product("jobs", "receipt", jobs[0]["job"], "--json", expect=[0]).json["receipt"]
    assert sum(count["accepted"] for count in receipt["counts"]) == 2
    path = str(data / "sales_040.csv")
    assert "2 accepted, 1 quarantined" in product("why", path, expect=[0]).out
    assert "sales" in product("trace", f"{path}:1", expect=[0]).out
    for job in jobs[:: FILES // 4]:  # of a group only one leads: the others find their commit through it
        nodes = product("trace", str(data / job["path"]), "--json", expect=[0]).json["nodes"]
        [commit] = [node["facts"] for node in nodes if node["kind"] == "commit"]
        entry = json.loads((product.home / f"outputs/sales/_cf/log/{commit['entry']:020}.json").read_text())
        assert int(job["job"]) in [record["job"] for record in entry["body"]["jobs"]]
    group = product("quarantine", "list", "--json", expect=[0]).json["groups"][0]["group"]
    shown = product("quarantine", "show", group, "--json", expect=[0]).out
    assert "sales_007.csv" in shown and "sales_040.csv" in shown

    (data / "sales_003.csv").write_text("id,amount\n3,9.5\n")
    again = product.run(str(data))
    assert again["completed"] == 1
    assert sorted(product.table("sales")["id"].to_pylist()) == sorted(
        list(range(FILES)) + [at + 1000 for at in range(FILES) if at != 3]
    )
    last = json.loads(entries[-1].read_text())["body"]["jobs"][0]
    before = product("sql", "SELECT count(*) AS n FROM sales", "--as-of", str(last["job"]), "--json", expect=[0]).json
    assert before["rows"] == [{"n": 2 * FILES}]


@pytest.mark.slow
def test_a_small_file_is_visible_while_a_slow_one_after_it_is_read(product: Product, tmp_path: Path) -> None:
    data, parser = tmp_path / "data", tmp_path / "slow.py"
    data.mkdir()
    parser.write_text(SLOW)
    for name in ("first", "a", "b"):
        (data / f"{name}.txt").write_text(name)
    product.run(str(data / "first.txt"), "--parser", str(parser))
    assert product.table("lines").num_rows == 1
    (data / "first.txt").unlink()
    (tmp_path / "seen").unlink()
    running = product.start("run", str(data), "--parser", str(parser), "--workers", "1")
    try:
        until = time.monotonic() + 60
        while product.table("lines").num_rows < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert (product.table("lines").num_rows, running.poll()) == (2, None)
    finally:
        (tmp_path / "go").touch()
        running.communicate(timeout=60)
    assert sorted(product.table("lines")["name"].to_pylist()) == ["a", "b", "first"]
