"""Tells every run that ends to the file of the setting `lineage.file`, each event once, whatever happens meanwhile.

Before the first byte of a run is written, the store says where it goes. Events are the same bytes whenever they are
made: what of them is there already after a crash is compared, and only the rest is added.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec
from sqlalchemy import RowMapping

from casparian_flow.core.errors import CasparianError, ExportFailed
from casparian_flow.core.hashing import canonical_json
from casparian_flow.operations.doing.lineage.openlineage import Telling
from casparian_flow.settings import Home, Settings
from casparian_flow.store import telling as store
from casparian_flow.store.database import Database
from casparian_flow.store.meta import home_id
from casparian_flow.store.telling import Told
from casparian_flow.store.views import told_runs as view


def tell(database: Database, home: Home, settings: Settings, clock: Callable[[], int]) -> CasparianError | None:
    """Tell what there is to tell, if the settings ask for it; why it has to wait, if it has.

    What runs did does not hang on it: whoever calls says that it failed, and goes on.
    """
    if not settings.lineage.file:
        return None
    try:
        tell_runs(database, home.path / settings.lineage.file, clock)
    except CasparianError as exc:
        return exc
    return None


def tell_runs(database: Database, path: Path, clock: Callable[[], int]) -> int:
    """Tell the runs that ended and were not told; how many. Those that ended before the file was chosen are not.

    Raises ExportFailed if the file cannot be written; then they are told by the next call.
    """
    with database.transaction() as connection:
        state = store.told(connection)
        if state is None or state.path != str(path):
            state = Told(path=str(path), since_ns=clock())
            store.set_told(connection, state)
        broken_off = state.plan
        untold = sorted(view.untold_runs(connection, state.since_ns), key=lambda run: run["plan_id"] != broken_off)
    for run in untold:
        try:
            state = _tell(database, path, run, state)
        except OSError as exc:
            raise ExportFailed(
                f"what runs did cannot be told to {path}",
                why=exc.strerror or str(exc),
                fix="casparian config set lineage.file PATH",
            ) from exc
        with database.transaction() as connection:
            store.mark_told(connection, run["plan_id"], clock())
            store.set_told(connection, state)
    return len(untold)


def _tell(database: Database, path: Path, run: RowMapping, state: Told) -> Told:
    """Add the events of one run; what is told then, to be kept with the mark that it is."""
    plan = run["plan_id"]
    with database.transaction() as connection:
        events = Telling(connection, home_id(connection)).events_of(run)
        text = "".join(canonical_json(event) + "\n" for event in events).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        if state.plan != plan:
            end = file.seek(0, os.SEEK_END)
            state = msgspec.structs.replace(state, plan=plan, offset=end)
            with database.transaction() as connection:
                store.set_told(connection, state)
        file.seek(state.offset)
        there = file.read(len(text))
        if not text.startswith(there):  # somebody else has written there, or the file is another one
            text, there = _line_end(file) + text, b""
        file.write(text[len(there) :])
        file.flush()
        os.fsync(file.fileno())
    return msgspec.structs.replace(state, plan=None, offset=0)


def _line_end(file: IO[bytes]) -> bytes:
    """What ends the last line of a file, if it is not ended."""
    if not file.seek(0, os.SEEK_END):
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"
