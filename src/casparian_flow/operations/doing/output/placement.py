"""Finds the one sink in which a table is meant."""

from __future__ import annotations

import difflib
from pathlib import Path

from sqlalchemy import Connection

from casparian_flow.core.errors import NotFound
from casparian_flow.operations.doing.output.destinations import sink_named
from casparian_flow.settings import Home
from casparian_flow.store.views import placements as view
from casparian_flow.store.views.outputs import sinks_of_tables


def sink_of(connection: Connection, home: Home, cwd: Path, table: str, sink: str | None = None) -> str:
    """The URI of the sink that holds the table: the one asked for, else the one that a query means.

    Raises NotFound, with the nearest name, for a table that was never committed to or is not in that sink.
    """
    found = view.sinks_of(connection, table)
    if not found:
        close = difflib.get_close_matches(table, view.table_names(connection), n=1)
        raise NotFound(
            f"there is no table {table} in any sink",
            why=f"did you mean {close[0]}?" if close else "",
            fix="casparian output list",
        )
    if sink is None:
        return sinks_of_tables(connection, home.default_sink)[table]
    asked = sink_named(connection, sink, cwd).target
    if asked not in found:
        raise NotFound(
            f"the table {table} is not in {asked}", why="it is in " + ", ".join(found), fix=f"--sink {found[0]}"
        )
    return asked
