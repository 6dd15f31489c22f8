"""What the sentinel wants done at sinks: it never waits for one itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.outputs import PermittedEntry, SealedOutput
from casparian_flow.sinks.base import Attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """Make the entries of one permitted commit visible; `jobs` are recorded when every sink took its part."""

    entries: tuple[PermittedEntry, ...]
    jobs: frozenset[int] = frozenset()
    commits: tuple[int, ...] = ()
    """The ids of the entries in the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Remove what an attempt sealed and will never promote."""

    job: int
    attempt: int
    outputs: tuple[SealedOutput, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Remove from these sinks what was staged by attempts that are not kept."""

    sinks: tuple[str, ...]
    keep: tuple[Attempt, ...]


Action = Promote | Discard | Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An action was carried out; `troubles` are the sinks, by URI, that did not take their part."""

    action: Action
    troubles: Mapping[str, CasparianError] = field(default_factory=dict)
