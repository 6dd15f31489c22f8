"""Chooses the engine of a database file by the scheme of its URI."""

from __future__ import annotations

from pathlib import Path

from casparian_flow.sinks.database import DatabaseSink


def open_database(uri: str, path: Path, scheme: str) -> DatabaseSink:
    """The sink of a duckdb:// or sqlite:// URI, not tried yet. Loads the engine of that one only."""
    if scheme == "duckdb":
        from casparian_flow.sinks.duckdb_file import DuckDB

        return DatabaseSink(uri, path, DuckDB())
    from casparian_flow.sinks.sqlite_file import SQLite

    return DatabaseSink(uri, path, SQLite())
