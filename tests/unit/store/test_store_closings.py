"""What follows from a closing is done for that one: what is closed meanwhile goes on being due."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

from casparian_flow.sentinel.history.closed_words import write_closed
from casparian_flow.settings import Home
from casparian_flow.store import closings
from casparian_flow.store.database import Database


def test_what_is_closed_while_the_file_is_written_anew_goes_on_being_due(tmp_path: Path) -> None:
    home = Home(tmp_path)
    database, other = Database(home.state), Database(home.state)
    with database.transaction() as connection:
        closings.add(connection)
    written = []
    write_anew = Database.write_anew

    def and_close_more(self: Database) -> None:
        write_anew(self)
        written.append(self)
        if len(written) == 1:
            with other.transaction() as connection:
                closings.add(connection)

    with patch.object(Database, "write_anew", and_close_more):
        for expected in (1, 2, 2):
            write_closed(database, home)
            assert len(written) == expected
    for each in (database, other):
        each.close()
