"""The folder that a location's path begins in, as every view shows it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, case, func

from casparian_flow.store.tables import locations, sources

# A source that is one file is shown with that file's name; its one location has the name already.
FOLDER: ColumnElement[str] = case(
    (sources.c.only == b"", sources.c.display),
    else_=func.substr(sources.c.display, 1, func.length(sources.c.display) - func.length(locations.c.display) - 1),
)
