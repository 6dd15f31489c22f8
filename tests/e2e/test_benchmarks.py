"""`python -m benchmarks` measures and says what it measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def benchmarks(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
    )


@pytest.mark.slow
def test_what_was_measured_is_said_as_json_and_nothing_is_left_behind(tmp_path) -> None:
    done = benchmarks(tmp_path, "--quick", "--only", "cells", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["schema"] == "casparian.benchmarks/2" and report["quick"] is True
    assert report["machine"].keys() == {"cores", "processor", "load_before", "python", "is_idle"}
    (cells,) = report["benchmarks"]
    assert cells["name"] == "cells" and cells["failure"] is None and cells["footing"]
    for row in cells["rows"]:
        assert row.keys() == {"what", "unit", "more_is_better", "bar", "promise", "ours", "peer", "ratio", "pass"}
        assert 0 < row["ours"]["min"] <= row["ours"]["median"] <= row["ours"]["max"]
        assert row["peer"]["name"] and row["peer"]["median"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_table_names_every_bar_beside_what_was_measured(tmp_path) -> None:
    done = benchmarks(tmp_path, "--quick", "--only", "start", "--only", "evtx", "--keep", "--check")
    assert done.returncode in (0, 7), done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[1] for line in lines if line[:1] == ["start"]] == ["--help", "version", "status", "first"]
    judged = [line[-1] for line in lines if line[:1] in (["start"], ["evtx"])]
    assert set(judged) <= {"yes", "no", "small", "-", "peer"} and (done.returncode == 7) == ("no" in judged)
    (kept,) = tmp_path.glob("casparian-benchmark-*")
    assert (kept / "evtx" / "logs" / "log_0000.evtx").exists() and str(kept) in done.stderr


@pytest.mark.slow
def test_the_queue_is_measured_beside_a_bare_database_and_bare_sockets(tmp_path) -> None:
    done = benchmarks(tmp_path, "--quick", "--only", "queue", "--json")
    assert done.returncode == 0, done.stderr
    (queue,) = json.loads(done.stdout)["benchmarks"]
    assert queue["failure"] is None
    rows = [(row["unit"], row["peer"]["name"]) for row in queue["rows"]]
    assert rows == [("jobs/s", "sqlite3"), ("jobs/s", "one by one"), ("ms", "bare echo"), ("ms", "bare echo")]
    assert all(row["ours"]["median"] > 0 for row in queue["rows"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_large_files_are_read_under_a_ceiling_that_the_table_names(tmp_path) -> None:
    done = benchmarks(tmp_path, "--quick", "--only", "large", "--large-mb", "8", "--json")
    assert done.returncode == 0, done.stderr
    (large,) = json.loads(done.stdout)["benchmarks"]
    assert large["failure"] is None
    rows = [(row["what"].split(", ")[:2], row["promise"] is not None) for row in large["rows"]]
    assert [what for what, is_judged in rows if is_judged] == [
        ["peak memory", "large.csv"],
        ["peak memory", "large.db"],
    ]
    assert all(row["pass"] for row in large["rows"] if row["promise"])
    assert list(tmp_path.iterdir()) == []
