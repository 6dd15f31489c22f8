"""From the log to what is visible: the newest checkpoint, then the entries that follow without a hole.

Entries are numbered from 1 when they are permitted, but jobs promote at the same time, so 7 can be there before 6. A
reader stops before the first missing number: what it sees is always the table after some entry, and `as of 7` has the
same answer for ever. If the writer of 6 died, 7 stays unseen until recovery, which needs no person, writes 6.
"""

from __future__ import annotations

from casparian_flow.core.errors import NotFound, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.checkpoint import newest_checkpoint
from casparian_flow.sinks.layout import TableFolder
from casparian_flow.sinks.log import Entry, parse_entry
from casparian_flow.sinks.state import TableState


def resolve_state(folder: TableFolder, role: Role, as_of: int | None = None) -> TableState:
    """The table now, or after the entry `as_of`.

    Raises NotFound if the log does not reach `as_of` yet, VerificationFailed if an entry is damaged. Runs beside any
    number of writers and takes no lock.
    """
    state = newest_checkpoint(folder, role, as_of) or TableState()
    while as_of is None or state.seq < as_of:
        entry = read_entry(folder, role, state.seq + 1)
        if entry is None:
            break
        state.apply(entry)
    if as_of is not None and state.seq < as_of:
        raise NotFound(
            f"the log of {folder.path.name} reaches entry {state.seq}, not {as_of}",
            where=str(folder.log),
            fix="ask for an earlier entry, or wait until the commits under way are done",
        )
    return state


def read_entry(folder: TableFolder, role: Role, seq: int) -> Entry | None:
    """One entry of this table's log, None if it is not there; raises VerificationFailed if it is not this entry."""
    path = folder.entry(seq)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    entry = parse_entry(data, str(path))
    if (entry.table, entry.role, entry.seq) != (folder.path.name, role, seq):
        raise VerificationFailed(
            "a log entry belongs elsewhere",
            where=str(path),
            why=f"it says that it is entry {entry.seq} of {entry.table} ({entry.role})",
        )
    return entry
