"""`casparian jobs`: what ran, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.nouns import Noun
from casparian_flow.clients.cli.options import dry_run_option, shared_options
from casparian_flow.clients.cli.receipts import receipt_lines
from casparian_flow.clients.cli.render import Column, Kind, counted, plain, readable, size_text, table_lines
from casparian_flow.core.errors import UsageError
from casparian_flow.core.jobs import FINAL_STATES, REPLAYABLE, Cancelled, JobState

if TYPE_CHECKING:
    from casparian_flow.operations.job.cancel import JobCancelled
    from casparian_flow.operations.job.jobs import JobDetail, JobReceipt
    from casparian_flow.operations.job.revert import JobRevertPlan

COLUMNS = (
    Column("job"),
    Column("state"),
    Column("phase"),
    Column("path"),
    Column("parser"),
    Column("rows_read", Kind.COUNT, "READ"),
    Column("accepted", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("error"),
    Column("message"),
    Column("finished", Kind.TIME),
)
OUTPUTS = (
    Column("table"),
    Column("sink"),
    Column("mode"),
    Column("accepted", Kind.COUNT),
    Column("quarantined", Kind.COUNT),
    Column("contract"),
    Column("is_current"),
)
GROUPS = (
    Column("table"),
    Column("code"),
    Column("column"),
    Column("rows", Kind.COUNT),
    Column("message"),
    Column("sample"),
    Column("state"),
)
VERDICTS = (Column("name"), Column("value"), Column("confidence"), Column("runner_up"))
LOG = (Column("attempt"), Column("stream"), Column("text"))
CANCELLED = (Column("job"), Column("outcome"), Column("state"), Column("says"))
RETRIED = (Column("job"), Column("outcome"), Column("now"), Column("state"), Column("says"))
NOT_DONE, UNFINISHED = 1, 3
"""Exit codes: what was asked for was not done; jobs did not land."""
PATIENCE = 60.0
"""Seconds that `cancel --wait` waits unless --timeout says otherwise."""

chosen_jobs = click.argument("jobs", nargs=-1, metavar="JOB...")
if_version = click.option(
    "--if-version", metavar="V", help="Only if its `version` is still this; jobs show --json tells it."
)


@click.group("jobs", cls=Noun)
@shared_options
def command() -> None:
    """What ran, and how it ended."""


@command.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in JobState]),
    help="In this state; may be repeated.",
)
@click.option("--parser", metavar="P", help="Run by this parser.")
@click.option("--file", metavar="F", help="Of this file.")
@click.option("--tag", metavar="T", help="Of files with this tag.")
@click.option("--since", metavar="T", help="Queued since 24h, 7d, 2026-03-02, …")
@click.option("--dead", is_flag=True, help="Dead letters: given up after the last retry, not tried again since.")
@pass_face
def list_(face: Face, **wanted: Any) -> None:
    """Jobs, newest first."""
    from casparian_flow.operations.job.jobs import JobEntry, ListJobs

    wanted["states"] = tuple(map(JobState, wanted["states"]))
    face.show_pages(
        "casparian.jobs/1",
        "jobs",
        COLUMNS,
        JobEntry,
        lambda limit, after: face.ask("jobs.list", ListJobs(**wanted, limit=limit, after=after)),
    )


@command.command("show")
@click.argument("job")
@pass_face
def show(face: Face, job: str) -> None:
    """One job: JOB is its number, the beginning of it, @last or @-1."""
    from casparian_flow.operations.job.jobs import ShowJob

    reply = face.ask("jobs.show", ShowJob(job=job))
    face.show("casparian.job/1", reply, _lines(face, reply))


@command.command("receipt")
@click.argument("job")
@pass_face
def receipt(face: Face, job: str) -> None:
    """The receipt of one job, whole: what it read, what it wrote where, what became of every row."""
    from casparian_flow.operations.job.jobs import ShowReceipt

    reply = face.ask("jobs.receipt", ShowReceipt(job=job))
    face.show("casparian.job.receipt/1", reply, _receipt_lines(reply))


@command.command("logs")
@click.argument("job")
@click.option("-n", "lines", type=click.IntRange(1, 100_000), default=1000, metavar="N", help="The last N lines.")
@click.option("--follow", is_flag=True, help="Go on with what is written until the job is over.")
@click.option(
    "--stream",
    type=click.Choice(("guest", "worker")),
    help="Only what the parser wrote, or only how attempts ended.",
)
@pass_face
def logs(face: Face, job: str, lines: int, follow: bool, stream: str | None) -> None:
    """What the parser wrote while it read the file, and how attempts ended that did not land."""
    from casparian_flow.operations.job.logs import JobLogLine, ReadJobLogs

    request = ReadJobLogs(job=job, lines=lines, stream=stream)
    if follow:
        from casparian_flow.clients.cli.following import follow_log

        follow_log(face, request, LOG)
        return
    reply = face.ask("jobs.logs", request)
    face.show_list("casparian.job.logs/1", "lines", reply.lines, LOG, JobLogLine)


@command.command("watch")
@click.argument("job", required=False)
@pass_face
def watch(face: Face, job: str | None) -> int:
    """How far the open jobs are, or one, until they are over. Ends with 3 if one did not land."""
    from casparian_flow.clients.cli.following import watch_jobs

    reply = watch_jobs(face, job)
    landed = {JobState.COMPLETED.value}
    return 0 if landed.issuperset(reply.states) else UNFINISHED


@command.command("cancel")
@chosen_jobs
@if_version
@dry_run_option
@pass_face
def cancel(face: Face, jobs: tuple[str, ...], if_version: str | None) -> int:
    """Stop jobs before they commit; the answer says of each which side won.

    With --wait it comes when no process of them is left. Jobs are named, or chosen among the open ones with --where.
    """
    from casparian_flow.clients.cli.choosing import choose_jobs
    from casparian_flow.operations.job.cancel import CancelJobs, JobCancelled

    named = choose_jobs(face, jobs, [state for state in JobState if state not in FINAL_STATES])
    is_waited_for = face.options.wait and not face.options.dry_run
    seconds = (face.options.timeout or PATIENCE) if is_waited_for else 0.0
    request = CancelJobs(jobs=named, wait_seconds=seconds, if_version=if_version, dry_run=face.options.dry_run)
    cancelled = face.ask("jobs.cancel", request).cancelled if named else []
    face.show_list("casparian.jobs.cancelled/1", "cancelled", cancelled, CANCELLED, JobCancelled)
    return NOT_DONE if any(_escaped(each, is_waited_for=is_waited_for) for each in cancelled) else 0


@command.command("retry")
@chosen_jobs
@if_version
@pass_face
def retry(face: Face, jobs: tuple[str, ...], if_version: str | None) -> int:
    """Do the same again for jobs that failed, were aborted or rejected: each gets a new job.

    A job that pauses after a failure has its turn at once. With --wait, or without a service, the answer comes when
    the new jobs are over. Jobs are named, or chosen with --where among those that did not land.
    """
    from casparian_flow.clients.cli.choosing import choose_jobs
    from casparian_flow.clients.cli.progress import progress
    from casparian_flow.operations.job.retry import JobRetried, Retried, RetryJobs

    named = choose_jobs(face, jobs, [JobState.QUEUED, *sorted(REPLAYABLE)])
    retried: list[JobRetried] = []
    if named:
        with progress(face) as report:
            request = RetryJobs(jobs=named, wait=face.options.wait, if_version=if_version)
            retried = face.ask("jobs.retry", request, report).retried
    face.show_list("casparian.jobs.retried/1", "retried", retried, RETRIED, JobRetried)
    if {each.outcome for each in retried} == {Retried.REFUSED}:
        return NOT_DONE
    return UNFINISHED if any(each.now and each.state in REPLAYABLE for each in retried) else 0


@command.command("priority")
@click.argument("job")
@click.argument("priority", type=click.IntRange(-1000, 1000), metavar="N")
@if_version
@pass_face
def priority(face: Face, job: str, priority: int, if_version: str | None) -> int:
    """Let a queued job have its turn sooner or later: the highest N first. Files changed today have 100."""
    from casparian_flow.operations.job.retry import PrioritiseJob

    reply = face.ask("jobs.priority", PrioritiseJob(job=job, priority=priority, if_version=if_version))
    said = f"has priority {reply.priority}" if reply.is_queued else f"is {reply.state}, and waits for no turn"
    face.show("casparian.job.priority/1", reply, [f"job {reply.job} {said}"])
    return 0 if reply.is_queued else NOT_DONE


@command.command("revert")
@click.argument("job")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the commits; required, but for --dry-run.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Only show what would happen.")
@pass_face
def revert(face: Face, job: str, reason: str, is_dry_run: bool) -> None:
    """Undo one job: its rows go out of every table, those that they superseded come back; nothing is deleted."""
    from casparian_flow.operations.job.revert import PlanJobRevert, RevertJob

    plan = face.ask("jobs.plan_revert", PlanJobRevert(job=job))
    if is_dry_run or face.options.dry_run:
        face.show("casparian.job-revert-plan/1", plan, _revert_lines(plan))
        return
    if not reason.strip():
        raise UsageError(
            "a revert is kept with its reason", fix=f"casparian jobs revert {plan.job} --reason 'why it was wrong'"
        )
    face.confirm("\n".join(_revert_lines(plan)), plan.job)
    reply = face.ask("jobs.revert", RevertJob(job=plan.job, reason=reason, newest=plan.newest))
    undo = (f"casparian output revert {plain(each.table)} {each.newest}" for each in reply.plan.tables)
    said = [f"job {reply.plan.job} is undone; that is undone with:", *(f"  {line}" for line in undo)]
    face.show("casparian.job-revert/1", reply, said)


def _revert_lines(plan: JobRevertPlan) -> Iterator[str]:
    for each in plan.tables:
        yield (
            f"{plain(each.table)}: {each.rows_out:,} {'row goes' if each.rows_out == 1 else 'rows go'} out, "
            f"{each.rows_back:,} come back"
            + (f" of job {', '.join(each.jobs_back)}" if each.jobs_back else "")
            + f"; quarantine {each.quarantined_before:,} to {each.quarantined_after:,}; in {plain(each.sink)}"
        )
    yield f"{plain(plan.path)} is held then: a run reads these bytes again only with --force"


def _escaped(each: JobCancelled, *, is_waited_for: bool) -> bool:
    """Whether cancelling did not do what it is for: the rows land, or the process was still not dead in the end."""
    return (
        each.outcome == Cancelled.TOO_LATE
        or each.state == JobState.COMPLETED
        or (is_waited_for and each.outcome == Cancelled.STOPPING)
    )


def _receipt_lines(reply: JobReceipt) -> Iterator[str]:
    from json import dumps

    yield f"job {reply.job}, attempt {reply.attempt}, {reply.state}"
    yield from (plain(line) for line in dumps(reply.receipt, indent=2, sort_keys=True).splitlines())


def _lines(face: Face, detail: JobDetail) -> Iterator[str]:
    from msgspec import to_builtins

    job = detail.job
    yield f"job       {job.job}, attempt {job.attempt}"
    doing = f": {job.phase}" if job.phase else ""
    yield f"state     {job.state}{doing}" + (", to be cancelled" if detail.is_cancelled and job.phase else "")
    yield f"version   {job.version}"
    yield f"file      {plain(job.source)}/{plain(job.path)}"
    yield f"parser    {plain(job.parser)}"
    yield f"reason    {plain(job.reason)}"
    yield from (f"sink      {plain(sink)}" for sink in detail.sinks)
    times = (("queued", job.queued), ("started", job.started), ("finished", job.finished))
    yield from (f"{name:<9} {readable(at, Kind.TIME)}" for name, at in times)
    if job.phase:
        yield f"progress  {job.rows_read:,} rows, {size_text(job.bytes_read)} read"
    if job.worker and detail.lease_until:
        yield f"worker    {plain(job.worker)}, lease until {readable(detail.lease_until, Kind.TIME)}"
    elif job.worker:
        yield f"worker    {plain(job.worker)}"
    if detail.silent_since:
        yield f"silent    since {readable(detail.silent_since, Kind.TIME)}"
    if detail.due:
        yield f"pauses    until {readable(detail.due, Kind.TIME)}, after {detail.failures} failures"
    if job.state == JobState.QUEUED:
        yield f"priority  {job.priority}"
    if detail.breaker.paused:
        yield f"breaker   its parser is paused since {readable(detail.breaker.paused, Kind.TIME)}"
    elif detail.breaker.failures:
        yield f"breaker   {detail.breaker.failures} failures of its parser since the last success"
    erased = f", {job.purged:,} erased" if job.purged else ""
    yield f"rows      {job.accepted:,} accepted, {job.quarantined:,} quarantined{erased}"
    if job.carried:
        rows = counted(job.carried, "accepted row")
        yield f"read      {size_text(job.bytes_read)} of {size_text(job.size)}; {rows} taken over"
    yield from receipt_lines(detail)
    if job.error:
        yield f"error     {plain(job.error)}: {plain(job.message)}"
    for line in (detail.why or "").splitlines():
        yield f"why       {plain(line)}"
    for attempt in detail.attempts:
        yield f"attempt   {attempt.attempt} ended: {plain(attempt.ended)}"
    for items, columns in ((detail.outputs, OUTPUTS), (detail.groups, GROUPS), (detail.verdicts, VERDICTS)):
        if items:
            yield ""
            yield from table_lines(map(to_builtins, items), columns, face.paper)
