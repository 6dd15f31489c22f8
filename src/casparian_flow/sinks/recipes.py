"""How to read a table without this program: lines that can be pasted, for each kind of sink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Snapshot
from casparian_flow.sinks.layout import table_folder
from casparian_flow.sinks.uri import SinkUri

FEW_FILES = 8
"""As many as are still named one by one."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to read a table: for which tool, and what to type there."""

    tool: str
    text: str


def place_of(uri: SinkUri, table: str) -> Path:
    """The folder or the file on disk that holds the table."""
    root = Path(uri.path)
    return root if uri.scheme in ("duckdb", "sqlite") else table_folder(root, Role.ACCEPTED, table).path


def recipes(uri: SinkUri, table: str, snapshot: Snapshot) -> list[Recipe]:
    """Ways to read the rows that are visible now, the shortest first."""
    path = uri.path
    if uri.scheme == "duckdb":
        return [
            Recipe("DuckDB", f"ATTACH {_sql(path)} AS cf (READ_ONLY); FROM cf.{_name(table)};"),
            Recipe(
                "pandas",
                f"import duckdb; duckdb.connect({path!r}, read_only=True).sql({f'FROM {_name(table)}'!r}).df()",
            ),
        ]
    if uri.scheme == "sqlite":
        query = f"SELECT * FROM {_name(table)}"  # noqa: S608 - quoted, and shown, not run
        return [
            Recipe("DuckDB", f"ATTACH {_sql(path)} AS cf (TYPE sqlite, READ_ONLY); FROM cf.{_name(table)};"),
            Recipe("pandas", f"import pandas, sqlite3; pandas.read_sql({query!r}, sqlite3.connect({path!r}))"),
        ]
    found = [
        Recipe(
            "pandas",
            "from casparian_flow.core.outputs import Role; from casparian_flow.sinks.uri import open_sink; "
            f"open_sink({uri.target!r}).read({table!r}, Role.ACCEPTED).read_pandas()",
        )
    ]
    if 0 < len(snapshot.files) <= FEW_FILES:
        found.insert(0, Recipe("DuckDB", _from_files(uri.scheme, snapshot.files, snapshot.removed_jobs)))
    return found


def _from_files(scheme: str, files: Sequence[str], removed: Sequence[int]) -> str:
    function = "read_csv" if scheme == "csv" else "read_parquet"
    listed = ", ".join(map(_sql, files))
    without = f" WHERE _cf_job_id NOT IN ({', '.join(map(str, removed))})" if removed else ""
    return f"FROM {function}([{listed}], union_by_name = true){without};"


def _sql(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(table: str) -> str:
    return '"' + table.replace('"', '""') + '"'
