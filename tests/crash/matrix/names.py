"""The names of the failpoints: what is done to which kind of file, so that a step has one name in every run."""

from __future__ import annotations

import re

LOCK, STATE_SHARED = "home lock", "state shared memory"
_PLACES = [
    (r"", "world"),
    (r"home/lock", LOCK),
    (r"home/state\.sqlite3", "state file"),
    (r"home/state\.sqlite3-wal", "state log"),
    (r"home/state\.sqlite3-shm", STATE_SHARED),
    (r"home/state\.sqlite3-journal", "state journal"),
    (r"home/staging(/.*)?", "scratch"),
    (r"home", "home"),
    (r".*\.cf_probe_.*", "probe"),
    (r"out/\.db\.staged/(outputs|quarantine)/\w+/v\d+/.*\.parquet", "waiting file"),
    (r"out/\.db\.staged/(outputs|quarantine)/\w+/v\d+", "waiting folder"),
    (r"out/\.db\.staged(/.*)?", "waiting place"),
    (r"out/db", "database"),
    (r"out/db\.wal", "database log"),
    (r"out/db-journal", "database journal"),
    (r"out/\.db\.lock", "database lock"),
    (r"out/\.db\.new\.\w+", "new database"),
    (r"out/\.db\.new\.\w+[.-].*", "new database log"),
    (r"out/_cf/\.owner\.json\..*\.tmp", "new owner"),
    (r"out/_cf/owner\.json", "owner"),
    (r"out/_cf", "owner folder"),
    (r"out/\w+/\w+/v\d+", "version folder"),
    (r"out/\w+/\w+/v\d+/\.schema\.json\..*\.tmp", "new schema"),
    (r"out/\w+/\w+/v\d+/schema\.json", "schema"),
    (r"out/\w+/\w+/v\d+/[^.].*\.(parquet|csv)", "data file"),
    (r"out/\w+/\w+/_cf/\.README\..*\.tmp", "new readme"),
    (r"out/\w+/\w+/_cf/README", "readme"),
    (r"out/\w+/\w+/_cf/log/\..*\.tmp", "new log entry"),
    (r"out/\w+/\w+/_cf/log/\d+\.json", "log entry"),
    (r"out/\w+/\w+/_cf/log", "log folder"),
    (r"out/\w+/\w+/_cf/checkpoint/\..*\.tmp", "new checkpoint"),
    (r"out/\w+/\w+/_cf/checkpoint/\d+\.json", "checkpoint"),
    (r"out/\w+/\w+/_cf/checkpoint", "checkpoint folder"),
    (r"out/\w+/\w+/_cf", "records folder"),
    (r"out/\w+/\w+", "table folder"),
    (r"out/(outputs|quarantine)", "role folder"),
    (r"out", "target folder"),
]
_COMPILED = [(re.compile(pattern), name) for pattern, name in _PLACES]


def place_of(path: str) -> str:
    """What kind of file or folder a path below the world's folder is; the path itself if it is of no known kind."""
    return next((name for pattern, name in _COMPILED if pattern.fullmatch(path)), f"unknown place {path}")


def is_of_home(point: str) -> bool:
    """Whether a step is the home's, the same whatever the target is."""
    return point.startswith(("state ", "home:", "scratch:", "world:"))


def is_nothing(place: str) -> bool:
    """Whether what is done there is no step: locks and shared memory mean nothing after a crash."""
    return place in (LOCK, STATE_SHARED, "database lock", "probe")
