"""One round of a watch: look at what may have changed, and do with it what a scan or a run does."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from casparian_flow.core.errors import UsageError
from casparian_flow.core.files import HashMode
from casparian_flow.core.outputs import SinkMode
from casparian_flow.core.reasons import SkipReason
from casparian_flow.core.times import rfc3339
from casparian_flow.operations.context import Acting
from casparian_flow.operations.doing.output.destinations import choose_routes
from casparian_flow.operations.doing.rehearsal.replay_outcome import go_on
from casparian_flow.operations.doing.run.plan import prepare
from casparian_flow.operations.doing.run.run import checked_policy, run_prepared
from casparian_flow.operations.doing.source.scan import looking_of, scan_reply
from casparian_flow.operations.doing.source.selection import Discovered, Looking, chosen_sources, discover
from casparian_flow.operations.run.reply import RunReply
from casparian_flow.operations.source.scan import ScanReply
from casparian_flow.operations.source.watch import GrowingFile, Watched, WatchRound
from casparian_flow.scout.hints import Root
from casparian_flow.scout.mounts import silent_mount
from casparian_flow.scout.settle import SECOND_NS
from casparian_flow.scout.watch import MOST, Parts, Timing
from casparian_flow.sentinel.watching import Looked
from casparian_flow.store import settling
from casparian_flow.store.sources import source_by_id

SHOWN = 20
"""Growing files that a round names."""
MOMENT = 0.001
"""So that a look comes after the time that the store says, not just before it."""


def timing_of(acting: Acting, watched: Watched) -> Timing:
    """The seconds in force."""
    chosen = acting.settings.watch
    settle = chosen.settle_seconds if watched.settle_seconds is None else watched.settle_seconds
    return Timing(settle=settle, reconcile=watched.reconcile_seconds or chosen.reconcile_seconds)


class Rounds:
    """The rounds of one watch, with what stays the same between them."""

    def __init__(self, acting: Acting, watched: Watched, *, sources: Sequence[int] = (), number: int = 0) -> None:
        """A new watch, or one of these `sources` that had so many rounds.

        Raises UsageError, NotFound or SinkUnavailable where a new one is about nothing that can be watched.
        """
        self._acting = acting
        self._watched = watched
        self._settle = timing_of(acting, watched).settle
        self.number = number
        self.warnings: list[str] = []
        self._sources = sources
        if not sources:
            self._sources, self.warnings = _begin(acting, watched)
        self._trusted = frozenset(source for source, root in self.roots.items() if silent_mount(root.path) is None)

    @property
    def operation(self) -> str:
        """What is repeated: scan or run."""
        return "scan" if self._watched.run is None else "run"

    @property
    def roots(self) -> dict[int, Root]:
        """Where the sources lie."""
        with self._acting.database.transaction() as connection:
            found = [source_by_id(connection, source) for source in self._sources]
        return {source.id: Root(source.root, source.only) for source in found}

    def look(self, parts: Parts, plans_anyway: bool) -> Looked:
        """Look at the parts, do what is to be done, and report it as `watch.round` if there was anything.

        Without a change nothing is planned, unless `plans_anyway`.
        """
        began = time.monotonic()
        acting, is_first = self._acting, self.number == 0
        found = self._discover(parts)
        has_changed = any(
            [
                *(each.missing or each.returned for each in found.scans),
                *(each.read or each.vanished for each in found.tagged),
            ]
        )
        if None not in parts.values() and not (plans_anyway or self._replaces()):
            found = _narrowed(found)
        scan = run = None
        planning = 0.0
        if self._watched.run is not None and (has_changed or plans_anyway):
            resumed = go_on(acting)
            started = time.perf_counter()
            prepared = prepare(acting, self._watched.run.selection, found, tolerance=self._watched.run.tolerance)
            planning = time.perf_counter() - started
            run = run_prepared(acting, self._watched.run, prepared, began, resumed)
        elif self._watched.scan is not None and (has_changed or is_first):
            scan = scan_reply(acting, found)
        held = {source: self._held(source) for source in parts}
        if is_first or has_changed or (run is not None and run.run):
            self.number += 1
            acting.report("watch.round", msgspec.to_builtins(self._round(parts, found, held, scan, run)))
        return Looked(
            waiting={source: _waiting(files, acting.clock()) for source, files in held.items()},
            took={source: each.seconds + planning for source, each in zip(parts, found.scans, strict=True)},
            is_unfinished=run is not None and _is_unfinished(run),
        )

    def _replaces(self) -> bool:
        """Whether tables are replaced: what is kept of them depends on every file that is there."""
        wanted = self._watched.run.selection if self._watched.run else None
        if wanted is None:
            return False
        routes, _ = choose_routes(self._acting, wanted.sinks, wanted.topics, wanted.mode, wanted.table)
        targets = [*routes.default, *(target for chosen in routes.topics.values() for target in chosen)]
        return any(target.mode is not SinkMode.APPEND for target in targets)

    def _discover(self, parts: Parts) -> Discovered:
        asked = self._watched.scan
        looking = Looking() if asked is None else looking_of(asked)
        if looking.mode is HashMode.ALL and self.number:
            looking = replace(looking, mode=HashMode.CHANGED)
        looking = replace(looking, settle_seconds=self._settle, trusted=self._trusted, parts=parts)
        if self._watched.run is None:
            return discover(self._acting, (), sources=self._sources, looking=looking)
        wanted = self._watched.run.selection
        return discover(self._acting, (), sources=self._sources, tag=wanted.tag, since=wanted.since, looking=looking)

    def _held(self, source: int) -> list[settling.Held]:
        """The files that wait. None waits longer than the settle time, also if the clock was put back."""
        latest = self._acting.clock() + round(self._settle * SECOND_NS)
        with self._acting.database.transaction():
            driver = self._acting.database.driver
            settling.hold_no_longer(driver, source, latest)
            return settling.held(driver, source, most=MOST + 1)

    def _round(
        self,
        parts: Parts,
        found: Discovered,
        held: Mapping[int, Sequence[settling.Held]],
        scan: ScanReply | None,
        run: RunReply | None,
    ) -> WatchRound:
        growing = [each for files in held.values() for each in files]
        return WatchRound(
            number=self.number,
            at=rfc3339(self._acting.clock()),
            is_everything=None in parts.values(),
            new=sum(each.new for each in found.scans),
            changed=sum(each.changed for each in found.scans),
            missing=sum(each.missing for each in found.scans),
            growing=len(growing),
            examples=[
                GrowingFile(
                    path=each.display, since=rfc3339(each.growing_since_ns), looked_again=rfc3339(each.settles_at_ns)
                )
                for each in growing[:SHOWN]
            ],
            scan=scan,
            run=run,
            warnings=self.warnings if self.number == 1 else [],
        )


def _begin(acting: Acting, watched: Watched) -> tuple[Sequence[int], list[str]]:
    """The sources of a new watch, and warnings."""
    if (watched.scan is None) == (watched.run is None):
        raise UsageError("a watch is about a scan or about a run")
    if watched.scan is not None:
        if watched.scan.sources:
            return watched.scan.sources, []
        return chosen_sources(acting, watched.scan.paths)
    assert watched.run is not None
    if watched.run.plan is not None:
        raise UsageError("a saved plan is run once", fix="casparian run DIR --watch")
    wanted = watched.run.selection
    checked_policy(acting, watched.run)
    choose_routes(acting, wanted.sinks, wanted.topics, wanted.mode, wanted.table)
    return chosen_sources(acting, wanted.paths)


def _narrowed(found: Discovered) -> Discovered:
    """The same, to be planned for what was read alone; as it is where known files are back, since these were not."""
    if any(each.returned for each in found.scans):
        return found
    taken = frozenset(location for each in found.tagged for location in each.taken)
    return replace(found, selection=replace(found.selection, locations=taken))


def _waiting(held: Sequence[settling.Held], now_ns: int) -> dict[bytes, float]:
    return {each.rel_path: max(each.settles_at_ns - now_ns, 0) / SECOND_NS + MOMENT for each in held}


def _is_unfinished(run: RunReply) -> bool:
    """Whether the same plan may end otherwise: after a failure that passes, or a person's decision."""
    return bool(run.failed or run.aborted or run.waiting or SkipReason.AWAITING_APPROVAL in run.skipped)
