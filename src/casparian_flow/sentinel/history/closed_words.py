"""Writes the home's database anew where something in it was closed: freed pages still hold what was said before."""

from __future__ import annotations

from casparian_flow.sentinel.reports import forget_reports
from casparian_flow.settings import Home
from casparian_flow.store import closings
from casparian_flow.store.database import Database


def write_closed(database: Database, home: Home) -> None:
    """Leave nothing of it in the files of the home, if it is due.

    Broken off, it is due as before; so is what is closed while this is at work. Raises HomeUnavailable if the log of
    the service cannot be written.
    """
    with database.transaction() as connection:
        closing = closings.due(connection)
    if closing is None:
        return
    database.write_anew()
    forget_reports(home)
    with database.transaction() as connection:
        closings.set_done(connection, closing)
