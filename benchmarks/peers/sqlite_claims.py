"""SQLite alone claims and completes so many jobs in so many flushed transactions: FOLDER JOBS TRANSACTIONS."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from itertools import pairwise
from pathlib import Path

CLAIM = """UPDATE jobs SET state = 'dispatched', attempt = attempt + 1
           WHERE id = (SELECT id FROM jobs WHERE state = 'queued' ORDER BY priority DESC, id LIMIT 1) RETURNING id"""
COMPLETE = "UPDATE jobs SET state = 'completed', receipt = ? WHERE id = ? AND state = 'dispatched'"


def main() -> None:
    folder, count, transactions = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    database = sqlite3.connect(folder / "claims.sqlite3", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute(
        "CREATE TABLE jobs (id INTEGER PRIMARY KEY, state TEXT, priority INTEGER, attempt INTEGER, receipt TEXT)"
    )
    database.execute("CREATE INDEX queued ON jobs (priority DESC, id) WHERE state = 'queued'")
    rows = [(number, "queued", 50, 0) for number in range(count)]
    database.executemany("INSERT INTO jobs (id, state, priority, attempt) VALUES (?, ?, ?, ?)", rows)
    began = time.perf_counter()
    steps = transactions // 2
    for first, last in pairwise(count * step // steps for step in range(steps + 1)):
        database.execute("BEGIN IMMEDIATE")
        claimed = [database.execute(CLAIM).fetchone()[0] for _ in range(last - first)]
        database.execute("COMMIT")
        database.execute("BEGIN IMMEDIATE")
        for job in claimed:
            database.execute(COMPLETE, ("{}", job))
        database.execute("COMMIT")
    print(json.dumps({"seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
