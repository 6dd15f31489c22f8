"""A run starts the process of its first job before it knows that job."""

from __future__ import annotations

import os
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from casparian_flow.worker.spare import CORES
from product import Product

PARSER = """
import os
import time
from pathlib import Path

from casparian_flow.sdk import Column, PluginMetadata

MANIFEST = PluginMetadata(outputs={"guest": [Column("began_ns", "int64"), Column("folder", "string")]})


def parse(path):
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    yield "guest", [{"began_ns": time.time_ns() - int(age * 1e9), "folder": os.getcwd()}]
"""


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < CORES, reason="with one core nothing is started beforehand")
def test_the_guest_of_the_first_job_is_older_than_the_job(tmp_path: Path) -> None:
    product = Product(tmp_path / "home")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("one")
    (tmp_path / "guest.py").write_text(textwrap.dedent(PARSER))
    product.run(str(tmp_path / "data"), "--parser", str(tmp_path / "guest.py"), expect=[0])
    [row] = product.table("guest").to_pylist()
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as state:
        [(queued_ns,)] = state.execute("SELECT queued_at_ns FROM cf_jobs").fetchall()
    assert row["began_ns"] < queued_ns
    assert not Path(row["folder"]).exists()
    assert product.run(str(tmp_path / "data"), "--parser", str(tmp_path / "guest.py"), expect=[0])["run"] == 0
