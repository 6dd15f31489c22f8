"""The heart of the worker: one order, from the first byte parsed to rows that are visible or gone."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.errors import CasparianError, InvariantBroken, ParserFailed, SinkError
from casparian_flow.core.jobs import LogLine
from casparian_flow.protocol.messages import (
    Conclude,
    Dispatch,
    Failed,
    Fenced,
    Held,
    JobOrder,
    Logged,
    Permit,
    Sealed,
    Settle,
    Started,
)
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Batch, Began, Ended, Event, Noted, Printed, Raised, RejectedRecord
from casparian_flow.worker.job_run import JobRun
from casparian_flow.worker.launch import ISOLATION
from casparian_flow.worker.link import Link
from casparian_flow.worker.settle import cast_spilled
from casparian_flow.worker.targets import Targets

LOG_LINES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker works with."""

    open_sink: Callable[[str], Sink]


def parse_group(dispatch: Dispatch, link: Link, tools: Tools, stop: CancelToken) -> None:
    """Parse the files of an order in one guest; after a crash the rest is read one per guest.

    Every job of the order ends with exactly one report, unless `stop` is cancelled.
    """
    waiting = list(dispatch.jobs)
    alone = False
    while waiting and not stop.is_cancelled:
        group = waiting[:1] if alone else waiting
        begun = _Group(dispatch, group, link, tools).run(stop)
        alone = len(begun) < len(group)
        waiting = [job for job in waiting if job.job not in begun]


class _Group:
    """One guest and the jobs it reads, one after another."""

    def __init__(self, dispatch: Dispatch, jobs: Sequence[JobOrder], link: Link, tools: Tools) -> None:
        self._dispatch = dispatch
        self._jobs = {job.job: job for job in jobs}
        self._link = link
        self._targets = Targets(dispatch.routes, tools.open_sink)
        self._begun: set[int] = set()
        self._current: JobOrder | None = None
        self._run: JobRun | None = None
        self._lines: list[LogLine] = []

    def run(self, stop: CancelToken) -> set[int]:
        """Parse until the guest is done or gone; the jobs that got an answer."""
        with closing(parse(self._dispatch.parser, list(self._jobs.values()), self._dispatch.limits, stop)) as events:
            try:
                for event in events:
                    self._handle(event)
            except ParserFailed as error:  # the guest could not be started, or never began
                for job in self._jobs.values():
                    if job.job not in self._begun:
                        self._begun.add(job.job)
                        self._link.send(failure(job, error))
            finally:
                self._drop()
        return self._begun

    def _handle(self, event: Event) -> None:
        """Take one event in. What fails here fails its job alone; the rest of that job's events is passed over."""
        try:
            match event:
                case Began():
                    self._begin(self._jobs[event.job])
                case Batch() if self._run:
                    self._run.take(event)
                case RejectedRecord() if self._run:
                    self._run.reject(event)
                case Noted() if self._run:
                    self._run.note(event)
                case Printed():
                    self._lines.append(LogLine(event.stream, event.text))
                    if len(self._lines) >= LOG_LINES_AT_ONCE:
                        self._send_log(0)
                case Ended():
                    self._send_log(event.log_dropped)
                    if self._run:
                        self._end(self._run, event)
                case Raised():
                    self._begun.add(event.job)
                    self._current = self._jobs[event.job]
                    self._fail(event.error)
                case _:
                    pass
        except CasparianError as error:
            self._fail(error)
        except Exception as exc:  # a fault of ours in one file must not cost the other files of the group
            self._fail(host_fault(exc))

    def _begin(self, job: JobOrder) -> None:
        self._begun.add(job.job)
        self._current = job
        self._link.send(Started(job=job.job, attempt=job.attempt))
        dispatch = self._dispatch
        self._run = JobRun(dispatch.parser, job, dispatch.contracts, self._targets, Path(dispatch.staging))

    def _end(self, run: JobRun, event: Ended) -> None:
        outcome = run.finish(event, ISOLATION)
        self._run = None
        if isinstance(outcome, Sealed):
            commit(outcome, self._targets, self._link)
        else:
            self._link.send(outcome)

    def _fail(self, error: CasparianError) -> None:
        assert self._current is not None
        try:
            self._drop()
        except SinkError as left:  # files that nobody will name; the failure that led here is what is reported
            self._lines.append(LogLine("log", f"what was staged could not be removed: {left.message} ({left.why})"))
        self._send_log(0)
        self._link.send(failure(self._current, error))

    def _drop(self) -> None:
        if self._run is not None:
            run, self._run = self._run, None
            run.discard()

    def _send_log(self, dropped: int) -> None:
        if self._current is not None and (self._lines or dropped):
            lines, self._lines = self._lines, []
            job = self._current
            self._link.send(Logged(job=job.job, attempt=job.attempt, lines=lines, dropped=dropped))


def settle_job(settle: Settle, link: Link, tools: Tools) -> None:
    """Cast the staged rows of a surveyed job to their contracts, seal and commit."""
    targets = Targets(settle.routes, tools.open_sink)
    contracts = {output: settle.contracts[table] for output, table in settle.tables.items()}
    try:
        sealed = cast_spilled(settle.parser, settle.order, contracts, Path(settle.staging), targets)
    except CasparianError as error:
        link.send(failure(settle.order, error))
    else:
        # From the permit on nothing is discarded: what cannot be promoted now is promoted later.
        commit(sealed, targets, link)


def commit(sealed: Sealed, targets: Targets, link: Link) -> None:
    """Ask for the permit of a sealed attempt; promote with it, discard without."""
    answer = link.ask(sealed)
    match answer:
        case Permit():
            targets.promote(answer.entries)
            link.send(Conclude(job=sealed.job, attempt=sealed.attempt))
        case Held():
            pass
        case Fenced():
            targets.discard(Attempt(job=sealed.job, attempt=sealed.attempt), sealed.receipt.outputs)


def host_fault(exc: Exception) -> InvariantBroken:
    """An exception that nobody foresaw, with the place where it was raised."""
    where = traceback.extract_tb(exc.__traceback__)[-1]
    return InvariantBroken(
        f"the host failed: {exc or type(exc).__name__}",
        why=f"{type(exc).__name__} in {where.name}, {Path(where.filename).name} line {where.lineno}",
    )


def failure(job: JobOrder, error: CasparianError) -> Failed:
    """The report of an attempt that ended in an error."""
    return Failed(
        job=job.job,
        attempt=job.attempt,
        code=error.code,
        message=error.message,
        why=error.why,
        transient=error.transient,
    )
