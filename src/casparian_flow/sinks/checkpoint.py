"""Checkpoints: the state of a table after some entry, so that readers need not read the whole log.

They are a convenience. A damaged one is passed over, all of them may be deleted, and the answer stays the same.
"""

from __future__ import annotations

from typing import Any

from casparian_flow.core.errors import CasparianError, VerificationFailed
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.durable import make_folder, put_if_absent, sync_folder
from casparian_flow.sinks.layout import TableFolder, number_of
from casparian_flow.sinks.log import FORMAT_VERSION, added_file, file_value
from casparian_flow.sinks.sealed_json import open_json, seal_json
from casparian_flow.sinks.state import TableState, VisibleFile

CHECKPOINT_EVERY = 100
BYTES_PER_ENTRY = 2048
"""Large checkpoints come further apart, so that reading and writing them stays a fixed share of each commit's work."""


def newest_checkpoint(folder: TableFolder, role: Role, as_of: int | None = None) -> TableState | None:
    """The state in the newest checkpoint that is whole and not after `as_of`, None without one."""
    for seq in reversed(checkpoint_numbers(folder)):
        if as_of is None or seq <= as_of:
            try:
                return _read(folder, role, seq)
            except (VerificationFailed, FileNotFoundError):
                continue  # the log itself has the same answer
    return None


def checkpoint_numbers(folder: TableFolder) -> list[int]:
    """The entries after which a checkpoint was written, in order, whole or not."""
    try:
        names = [path.name for path in folder.checkpoints.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(seq for name in names if (seq := number_of(name)) is not None)


def is_checkpoint_due(folder: TableFolder, seq: int) -> bool:
    """Whether entry `seq` is far enough from the checkpoint before. Reads none of them.

    Half the usual distance is enough: jobs that are still promoting may hold the state back a little.
    """
    last = max((number for number in checkpoint_numbers(folder) if number <= seq), default=0)
    try:
        size = folder.checkpoint(last).stat().st_size
    except FileNotFoundError:
        size = 0
    return seq - last >= max(CHECKPOINT_EVERY // 2, size // BYTES_PER_ENTRY)


def write_checkpoint(folder: TableFolder, role: Role, state: TableState) -> None:
    """Write the state down, unless it is there."""
    make_folder(folder.checkpoints)
    put_if_absent(folder.checkpoint(state.seq), _bytes(folder, role, state))
    sync_folder(folder.checkpoints)


def _bytes(folder: TableFolder, role: Role, state: TableState) -> bytes:
    return seal_json(
        {
            "version": FORMAT_VERSION,
            "table": folder.path.name,
            "role": role.value,
            "seq": state.seq,
            "files": [[file_value(visible.file), sorted(visible.live)] for visible in state.files.values()],
        }
    )


def _read(folder: TableFolder, role: Role, seq: int) -> TableState:
    path = folder.checkpoint(seq)
    body: Any = open_json(path.read_bytes(), str(path))
    try:
        if (body["version"], body["table"], body["role"], body["seq"]) != (
            FORMAT_VERSION,
            folder.path.name,
            role.value,
            seq,
        ):
            raise ValueError("it belongs elsewhere")
        return TableState(seq, [VisibleFile(added_file(file), set(live)) for file, live in body["files"]])
    except (KeyError, TypeError, ValueError, CasparianError) as exc:
        raise VerificationFailed("a checkpoint cannot be understood", where=str(path), why=str(exc)) from exc
