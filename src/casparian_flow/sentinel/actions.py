"""What the sentinel wants done at sinks: it never waits for one itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.outputs import PermittedEntry, SealedOutput
from casparian_flow.sinks.base import Attempt


class Promote(msgspec.Struct, frozen=True, kw_only=True):
    """Make the entries of one permitted commit visible; `jobs` are recorded when every sink took its part."""

    entries: tuple[PermittedEntry, ...]
    jobs: frozenset[int] = frozenset()
    commits: tuple[int, ...] = ()
    """The ids of the entries in the store."""


class Discard(msgspec.Struct, frozen=True, kw_only=True):
    """Remove what an attempt sealed and will never promote."""

    job: int
    attempt: int
    outputs: tuple[SealedOutput, ...]


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """Remove from these sinks what was staged by attempts that are not kept."""

    sinks: tuple[str, ...]
    keep: tuple[Attempt, ...]


Action = Promote | Discard | Sweep


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An action was carried out; `troubles` are the sinks, by URI, that did not take their part."""

    action: Action
    troubles: Mapping[str, CasparianError] = msgspec.field(default_factory=dict)
