"""What a surveyed group leaves in its worker's scratch folder until its contracts are known."""

from __future__ import annotations

from pathlib import Path

import msgspec

from casparian_flow.core.receipts import Receipt
from casparian_flow.worker.gathered import Run

NAME = "pending.json"


class Spilled(msgspec.Struct, frozen=True, kw_only=True):
    """One file of rows, or of rejections, of one output; `runs` say in order whose they are."""

    output: str
    name: str
    runs: list[Run]
    is_rejected: bool = False


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed already of each member, leader first, and what waits."""

    receipts: list[Receipt]
    spilled: list[Spilled]


def job_folder(scratch: Path, job: int, attempt: int) -> Path:
    """The folder of the group that this attempt leads."""
    return scratch / f"{job}.{attempt}"


def write_pending(folder: Path, pending: Pending) -> None:
    """Leave word of what waits."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_bytes(msgspec.json.encode(pending))


def read_pending(folder: Path) -> Pending:
    """What waits."""
    return msgspec.json.decode((folder / NAME).read_bytes(), type=Pending)
