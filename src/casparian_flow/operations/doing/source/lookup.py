"""Finds the one source that a word as typed means."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, RowMapping

from casparian_flow.core.errors import NotFound
from casparian_flow.core.files import display_path
from casparian_flow.store.views import sources as view


def one_source(connection: Connection, cwd: Path, named: str) -> RowMapping:
    """The source at a path, else the one of that name or number; raises NotFound."""
    path = display_path(os.fsencode((cwd / named).resolve()))
    known = view.list_sources(connection)
    for is_it in (
        lambda row: row["root"] == path,
        lambda row: row["name"] == named,
        lambda row: str(row["id"]) == named,
    ):
        if found := [row for row in known if is_it(row)]:
            return found[0]
    raise NotFound(f"there is no source {named}", fix="casparian source list")
