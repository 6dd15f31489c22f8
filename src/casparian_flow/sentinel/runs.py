"""What a run is decided by, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from casparian_flow.core.jobs import JobState
from casparian_flow.protocol.messages import Limits

BACK_OFF_SECONDS = (4.0, 16.0, 64.0)


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the sentinel decides by, kept with the run so that it outlives the sentinel.

    `tolerance` is the share of a file's rows that may be quarantined; `back_off_seconds` are the pauses before each
    further try after a transient failure; rows of bytes in `kept_hashes` stay when the run replaces a table.
    """

    limits: Limits = Limits()
    holds_first_contracts: bool = False
    tolerance: float = 1.0
    back_off_seconds: tuple[float, ...] = BACK_OFF_SECONDS
    kept_hashes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOutcome:
    """Which side won. `is_cancelled`: the job will never commit; `state` is the one it has now.

    A job that is cancelled and not yet `aborted` still runs somewhere; one that is not cancelled was `committing` or
    over already.
    """

    state: JobState
    is_cancelled: bool
