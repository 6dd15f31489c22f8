"""Carries out at the sinks what the sentinel permitted and no worker is there to do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TypeVar

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.outputs import PermittedEntry, SealedOutput
from casparian_flow.sentinel.actions import Action, Discard, Done, Promote
from casparian_flow.sinks.base import Attempt, Sink

Belonging = TypeVar("Belonging", PermittedEntry, SealedOutput)


def carry_out(action: Action, open_sink: Callable[[str], Sink]) -> Done:
    """Do it in every sink that can be reached; doing it again, or beside a worker, changes nothing."""
    troubles: dict[str, CasparianError] = {}
    if isinstance(action, Promote):
        for uri, entries in _by_sink(action.entries).items():
            try:
                open_sink(uri).promote(entries)
            except CasparianError as exc:
                troubles[uri] = exc
    elif isinstance(action, Discard):
        for uri, outputs in _by_sink(action.outputs).items():
            try:
                open_sink(uri).discard(Attempt(job=action.job, attempt=action.attempt), outputs)
            except CasparianError as exc:  # files that nobody will name: the next sweep finds them
                troubles[uri] = exc
    else:
        for uri in action.sinks:
            try:
                open_sink(uri).sweep(action.keep)
            except CasparianError as exc:
                troubles[uri] = exc
    return Done(action=action, troubles=troubles)


def _by_sink(things: Iterable[Belonging]) -> dict[str, list[Belonging]]:
    found: dict[str, list[Belonging]] = defaultdict(list)
    for thing in things:
        found[thing.sink].append(thing)
    return found
