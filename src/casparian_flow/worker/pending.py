"""What a surveyed job leaves in its worker's scratch folder until its contracts are known."""

from __future__ import annotations

from pathlib import Path

import msgspec

from casparian_flow.core.receipts import Receipt

NAME = "pending.json"


class Spilled(msgspec.Struct, frozen=True, kw_only=True):
    """The spills of one output by file name, None where there was nothing, and how many rows they hold together."""

    output: str
    rows: str | None
    rejected: str | None
    count: int


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed already and what waits."""

    receipt: Receipt
    spilled: list[Spilled]


def job_folder(scratch: Path, job: int, attempt: int) -> Path:
    """The folder of one attempt."""
    return scratch / f"{job}.{attempt}"


def write_pending(folder: Path, pending: Pending) -> None:
    """Leave word of what waits."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(msgspec.json.encode(pending))


def read_pending(folder: Path) -> Pending:
    """What waits."""
    return msgspec.json.decode((folder / NAME).read_bytes(), type=Pending)
