"""Names for the completion of words, read with the driver alone and within a time limit.

Importing the database library takes longer than a person waits for a word, so these statements are plain SQL.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

MOST = 200
STEPS = 1000
"""Steps of the database between two looks at the clock."""
STATEMENTS = {
    "contract": "SELECT DISTINCT table_name FROM schema_contracts ORDER BY 1 LIMIT ?",
    "job": "SELECT id FROM cf_jobs ORDER BY id DESC LIMIT ?",
    "parser": "SELECT DISTINCT name FROM cf_parsers ORDER BY 1 LIMIT ?",
    "plan": "SELECT id FROM cf_plans ORDER BY id DESC LIMIT ?",
    "rule": "SELECT id FROM scout_rules ORDER BY 1 LIMIT ?",
    "source": "SELECT id FROM scout_sources ORDER BY 1 LIMIT ?",
    "table": "SELECT DISTINCT table_name FROM cf_materializations WHERE is_current ORDER BY 1 LIMIT ?",
    "tag": "SELECT tag FROM scout_tags UNION SELECT tag FROM scout_rules ORDER BY 1 LIMIT ?",
    "sink": "SELECT name FROM cf_sinks ORDER BY 1 LIMIT ?",
    "topic": "SELECT topic FROM schema_topics UNION SELECT topic FROM scout_rules WHERE topic IS NOT NULL "
    "ORDER BY 1 LIMIT ?",
}
"""What names each kind of thing; the most that are given go in."""


def names(path: Path, kind: str, seconds: float) -> list[str]:
    """The names of one kind, at most a few hundred; raises sqlite3.Error when there are none to be had in time."""
    until = time.monotonic() + seconds
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=seconds)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > until, STEPS)
        return [str(row[0]) for row in connection.execute(STATEMENTS[kind], (MOST,))]
