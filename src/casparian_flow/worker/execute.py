"""The heart of the worker: one order, from the first byte parsed to rows that are visible or gone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from casparian_flow.core.errors import CasparianError, ParserFailed, SinkError, SinkUnavailable
from casparian_flow.core.jobs import LogLine
from casparian_flow.protocol.bodies import Cast, Parse, Permit, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.worker.actions import Fenced, Held
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import Cancelled, CancelToken
from casparian_flow.worker.carrying import Carried, carried
from casparian_flow.worker.carrying_run import run_of
from casparian_flow.worker.events import Batch, Began, Ended, Event, Noted, Printed, Raised, RejectedRecord
from casparian_flow.worker.faults import host_fault, one_of_several
from casparian_flow.worker.job_run import JobRun
from casparian_flow.worker.known_keys import KnownTables
from casparian_flow.worker.link import Link
from casparian_flow.worker.pending import job_folder
from casparian_flow.worker.premises import Premises
from casparian_flow.worker.settle import can_be_divided, cast_spilled, drop_spilled, outputs_of
from casparian_flow.worker.targets import Targets
from casparian_flow.worker.together import OpenGroup, land
from casparian_flow.worker.turns import Turns
from casparian_flow.worker.zygotes import Zygotes


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker works with. Rows that wait for their contract are kept in `scratch`, which is its alone.

    Whoever is done with it closes the zygotes; without them every guest is a fresh process.
    """

    open_sink: Callable[[str], Sink]
    scratch: Path
    zygotes: Zygotes | None = None
    known: KnownTables = field(default_factory=KnownTables)
    """Keys of tables that rows were compared with."""


def parse_group(order: Parse, link: Link, tools: Tools, turns: Turns) -> None:
    """Parse the files of an order; after a stop the others go on in another guest.

    Every job that began ends with exactly one word on the link; of a job that was stopped before nothing is said.
    """
    waiting = list(order.jobs)
    while waiting := [job for job in waiting if turns.is_wanted(job.job)]:
        if (stop := turns.start(waiting[0].job)) is None:
            continue
        begun = _Files(order, waiting, link, tools, turns).run(stop)
        waiting = [job for job in waiting if job.job not in begun]


class _Files:
    """Files that are read one after another, until one of them is stopped; small ones land together once they ended."""

    def __init__(self, order: Parse, jobs: Sequence[JobOrder], link: Link, tools: Tools, turns: Turns) -> None:
        self._order = order
        self._jobs = {job.job: job for job in jobs}
        self._link = link
        self._tools = tools
        self._turns = turns
        self._targets = Targets(order.routes, tools.open_sink, tools.known)
        self._premises = Premises(
            order.parser, order.contracts, self._targets, tools.scratch, order.modes, order.pseudonym_key
        )
        self._guest_at: int | None = jobs[0].job
        self._begun: set[int] = set()
        self._failed: set[int] = set()
        self._current: JobOrder | None = None
        self._run: JobRun | None = None
        self._ended = OpenGroup()
        self._lines: list[LogLine] = []
        self._carried: dict[int, Carried] = {}

    def run(self, stop: CancelToken) -> set[int]:
        """Parse until the guest is done, stopped or gone; the jobs that were answered for."""
        jobs = list(self._jobs.values())
        found = {job.job: carried(job, self._premises) for job in jobs if job.carries is not None}
        self._carried = {job: each for job, each in found.items() if each is not None}
        with closing(self._parse(jobs, stop)) as events:
            try:
                for event in events:
                    self._handle(event)
                    if self._ended.is_due(time.monotonic()):
                        self._land_ended()
            except ParserFailed as error:  # the guest could not be started, or never began
                self._refuse_all(error)
            except BaseException:
                self._drop_quietly()
                raise
        # The guest is dead: only now may anybody hear that a job of it was stopped.
        if stop.is_cancelled:
            self._stop_current()
        self._land_ended()
        return self._begun

    def _parse(self, jobs: Sequence[JobOrder], stop: CancelToken) -> Generator[Event]:
        order, tools = self._order, self._tools
        return parse(order.parser, jobs, order.limits, stop, self._next, tools.scratch, tools.zygotes, self._carried)

    def _next(self, job: int | None) -> bool:
        """Whether the guest may begin with its next job."""
        may_begin = self._turns.next(job)
        self._guest_at = job if may_begin else None
        return may_begin

    def _refuse_all(self, error: ParserFailed) -> None:
        for job in self._jobs.values():
            if job.job not in self._begun and self._turns.is_wanted(job.job):
                self._begun.add(job.job)
                self._link.failed(job, error)

    def _stop_current(self) -> None:
        """Answer for the job during which the guest was killed."""
        if self._guest_at is None:
            return
        job = self._jobs[self._guest_at]
        self._begun.add(job.job)
        self._drop_quietly()
        self._current = job
        self._send_log()
        self._link.stopped(job)

    def _handle(self, event: Event) -> None:
        """Take one event in. What fails here fails its job alone; the rest of that job's events is passed over."""
        try:
            match event:
                case Began():
                    self._begin(self._jobs[event.job])
                case Batch() if self._run:
                    self._run.take(event)
                    self._tell_progress(self._run)
                case RejectedRecord() if self._run:
                    self._run.reject(event)
                    self._tell_progress(self._run)
                case Noted() if self._run:
                    self._run.note(event)
                    self._tell_progress(self._run)
                case Printed():
                    self._lines.append(LogLine(event.stream, event.text))
                    self._send_log()  # whoever follows the log waits for it; heartbeats carry many lines at once
                    if self._run:
                        self._tell_progress(self._run)
                case Ended():
                    self._send_log()
                    if self._run:
                        self._end(self._run, event)
                case Raised() if event.job not in self._failed:
                    self._begun.add(event.job)
                    self._current = self._jobs[event.job]
                    self._fail(event.error)
                case _:
                    pass
        except CasparianError as error:
            self._fail(error)
        except Exception as exc:  # a fault of ours in one file must not cost the other files of the order
            self._fail(host_fault(exc))

    def _begin(self, job: JobOrder) -> None:
        self._drop_quietly()  # what came of it before it began anew
        if job.job in self._failed:
            return
        self._begun.add(job.job)
        self._current = job
        self._link.started(job)
        self._run = run_of(self._premises, job, self._carried.get(job.job))

    def _end(self, run: JobRun, event: Ended) -> None:
        run.end(event)
        self._run = None
        if run.landing is None:
            self._ended.add(run, time.monotonic())
        else:
            self._land([run])

    def _land_ended(self) -> None:
        """Close the group: those whose contracts are known are sealed together, the others surveyed."""
        wanted: dict[bool, list[JobRun]] = {False: [], True: []}
        for run in self._ended.take():
            if self._turns.is_wanted(run.order.job):
                wanted[run.waits].append(run)
            else:
                self._link.stopped(run.order)
        for runs in wanted.values():
            if runs:
                self._land(runs)

    def _land(self, runs: Sequence[JobRun]) -> None:
        """Seal or survey jobs; where that fails for several of them, each by itself, so that the culprit is found.

        Where a sink cannot be reached none of them is the culprit: all of them are to be tried again later.
        """
        jobs = [run.order for run in runs]
        try:
            outcome = land(self._premises, runs)
        except SinkUnavailable as exc:
            for job in jobs:
                self._tell_failed(job, exc)
            return
        except Exception as exc:
            if len(runs) > 1:
                for run in runs:
                    self._land([run])
                return
            self._tell_failed(jobs[0], exc if isinstance(exc, CasparianError) else host_fault(exc))
            return
        if isinstance(outcome, Surveyed):
            self._keep(jobs, outcome)
        else:
            try_commit(jobs, outcome, self._targets, self._link)

    def _keep(self, jobs: Sequence[JobOrder], outcome: Surveyed) -> None:
        if not self._link.surveyed(jobs, outcome):
            leader = jobs[0]
            folder = job_folder(self._tools.scratch, leader.job, leader.attempt)
            try:
                drop_spilled(folder, leader.job, leader.attempt, self._tools.open_sink)
            finally:
                for job in jobs:
                    self._link.stopped(job)

    def _fail(self, error: CasparianError) -> None:
        assert self._current is not None
        self._failed.add(self._current.job)
        self._drop_quietly()
        self._send_log()
        self._tell_failed(self._current, error)

    def _tell_failed(self, job: JobOrder, error: CasparianError) -> None:
        """An attempt failed. One that was to take rows over is tried again, then with the whole file."""
        if job.job in self._carried:
            error.transient = True
        self._link.failed(job, error)

    def _drop_quietly(self) -> None:
        """Discard what is staged of the job in progress; what led here is what is reported."""
        run, self._run = self._run, None
        if run is None:
            return
        try:
            run.discard()
        except SinkError as left:  # files that nobody will name
            self._lines.append(LogLine("log", f"what was staged could not be removed: {left.message} ({left.why})"))

    def _tell_progress(self, run: JobRun) -> None:
        self._link.progressed(run.order, run.rows, run.position)

    def _send_log(self) -> None:
        if self._current is not None and self._lines:
            lines, self._lines = self._lines, []
            self._link.printed(self._current, lines)


def cast_group(order: Cast, link: Link, tools: Tools, turns: Turns) -> None:
    """Cast the staged rows of a surveyed group to their contracts, seal and commit."""
    jobs = [each.job for each in order.jobs]
    leader = jobs[0]
    folder = job_folder(tools.scratch, leader.job, leader.attempt)
    if (stop := turns.start_together([job.job for job in jobs])) is None:
        _give_back(jobs, folder, link, tools, turns)
        return
    for job in jobs:
        link.started(job)
    try:
        targets = Targets(order.routes, tools.open_sink, tools.known)
        _cast(order, range(len(jobs)), folder, targets, link, turns, stop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cast(
    order: Cast,
    members: Sequence[int],
    folder: Path,
    targets: Targets,
    link: Link,
    turns: Turns,
    stop: CancelToken,
) -> None:
    """Cast, seal and commit members of a group; where that fails for several of them, each by itself.

    What is sealed already and shared cannot be divided: then all of them are to be read again, each by itself.
    """
    jobs = [order.jobs[member].job for member in members]
    try:
        sealed = cast_spilled(
            order.parser,
            order.jobs,
            order.contracts,
            order.modes,
            folder,
            targets,
            stop,
            members,
            pseudonym_key=order.pseudonym_key,
        )
    except Cancelled:
        for job in jobs:
            link.stopped(job)
    except Exception as exc:
        if len(members) > 1 and can_be_divided(folder):
            for member in members:
                _cast(order, [member], folder, targets, link, turns, stop)
            return
        error = exc if isinstance(exc, CasparianError) else host_fault(exc)
        if len(members) > 1:
            error = one_of_several(error)
        for job in jobs:
            link.failed(job, error)
    else:
        turns.leave(job.job for job in jobs)
        if len(members) == len(order.jobs):  # the answer may be long in coming, and nobody reads this again
            shutil.rmtree(folder, ignore_errors=True)
        try_commit(jobs, sealed, targets, link)


def _give_back(jobs: Sequence[JobOrder], folder: Path, link: Link, tools: Tools, turns: Turns) -> None:
    """Drop a group of which somebody stopped a member before it began; that one was answered for."""
    try:
        drop_spilled(folder, jobs[0].job, jobs[0].attempt, tools.open_sink)
    finally:
        for job in jobs:
            if turns.is_wanted(job.job):
                link.stopped(job)


def try_commit(jobs: Sequence[JobOrder], sealed: Sealed, targets: Targets, link: Link) -> None:
    """Commit a group; from the permit on nothing is discarded: what cannot be promoted now is promoted later."""
    try:
        commit(jobs, sealed, targets, link)
    except CasparianError as error:
        link.failed(jobs[0], error)


def commit(jobs: Sequence[JobOrder], sealed: Sealed, targets: Targets, link: Link) -> None:
    """Ask for the permit of a sealed group; promote with it, discard without. Raises SinkError."""
    answer = link.ask(jobs, sealed)
    match answer:
        case Permit():
            targets.promote(answer.entries)
            link.concluded(jobs)
        case Held():
            pass
        case Fenced():
            leader = Attempt(job=jobs[0].job, attempt=jobs[0].attempt)
            try:
                targets.discard(leader, outputs_of([each.receipt for each in sealed.jobs]))
            finally:
                for job in jobs:
                    link.stopped(job)
