"""Somebody reads a database in a process of their own while commits go into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from casparian_flow.core.outputs import Role
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, permitted, sealed

READ = {
    "sqlite": """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=60)
def ask():
    return database.execute(QUERY).fetchone()
""",
    "duckdb": """
import duckdb, sys
def ask():
    while True:
        try:
            with duckdb.connect(sys.argv[1], read_only=True) as database:
                return database.execute(QUERY).fetchone()
        except duckdb.IOException:  # a commit is under way
            continue
""",
}
LOOP = """
print("ready", flush=True)
last = 0
while last < int(sys.argv[2]):
    rows, jobs, last = ask()
    assert (rows, jobs) == (10, 2), (rows, jobs, last)
"""
QUERY = "QUERY = 'SELECT count(*), count(DISTINCT _cf_job_id), max(_cf_job_id) FROM events'"


@pytest.mark.parametrize("scheme", READ)
def test_a_reader_sees_whole_commits_and_no_commit_fails_for_it(scheme: str, tmp_path: Path) -> None:
    jobs = 15
    sink = open_sink(f"{scheme}://{tmp_path}/out.db")

    def commit(job: int) -> None:
        output = sealed(sink, job, [a_batch(range(5))])
        sink.promote([permitted(output, job, job, removed_jobs=[job - 2] if job > 2 else [])])

    commit(1)
    commit(2)
    command = [sys.executable, "-c", QUERY + READ[scheme] + LOOP, str(tmp_path / "out.db"), str(jobs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        try:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
            for job in range(3, jobs + 1):
                commit(job)
            assert reader.wait(timeout=60) == 0
        finally:
            reader.kill()
    assert sink.snapshot("events", Role.ACCEPTED).seq == jobs
