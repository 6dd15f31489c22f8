"""Commands that go on until jobs are over: each asks the same again and again, and shows what came in between."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from casparian_flow.clients.cli.face import Face
from casparian_flow.clients.cli.render import Column, plain, size_text, to_json, write_list

if TYPE_CHECKING:
    from casparian_flow.operations.job.logs import JobLogs, ReadJobLogs
    from casparian_flow.operations.job.progress import JobsProgress

ASK_EVERY = 0.5
"""Seconds between two questions."""


def follow_log(face: Face, request: ReadJobLogs, columns: Sequence[Column]) -> None:
    """Show the lines of a job, and every further one as it is written, until the job is over."""
    from casparian_flow.operations.job.logs import JobLogLine

    first = face.ask("jobs.logs", request)
    # A table measures many lines before it draws the first.
    paper = replace(face.paper, format="plain") if face.paper.format == "table" else face.paper
    rest = {"next_cursor": None}
    names = JobLogLine.__struct_fields__
    write_list(paper, "casparian.job.logs/1", "lines", _lines(face, request, first), columns, names, rest)


def _lines(face: Face, request: ReadJobLogs, reply: JobLogs) -> Iterator[dict[str, Any]]:
    from msgspec import structs, to_builtins

    while True:
        yield from map(to_builtins, reply.lines)
        sys.stdout.flush()
        if reply.is_over:
            return
        if not reply.lines:
            time.sleep(ASK_EVERY)
        # By its number: `@last` may be another job by now.
        reply = face.ask("jobs.logs", structs.replace(request, job=reply.job, after=reply.next))


def watch_jobs(face: Face, job: str | None) -> JobsProgress:
    """Show how far the open jobs are, or one of them, until they are over; the last state is the answer.

    Lines are appended, one whenever something changed; of JSON there is one object at the end, of JSON lines each.
    """
    from casparian_flow.operations.job.progress import WatchJobs

    def ask(request: WatchJobs) -> JobsProgress:
        reply: JobsProgress = face.ask("jobs.watch", request)
        return reply

    reply = ask(WatchJobs(job=job))
    shown: str | None = None
    while not reply.is_over:
        line = _progress_line(face, reply)
        if line is not None and line != shown:
            face.paper.line(line)
            sys.stdout.flush()
            shown = line
        time.sleep(ASK_EVERY)
        reply = ask(WatchJobs(job=job and reply.oldest, oldest=None if job else reply.oldest))
    face.show("casparian.jobs.progress/1", reply, [_words(reply)], is_plain=True)
    return reply


def _progress_line(face: Face, reply: JobsProgress) -> str | None:
    """What to say while it goes on; None in a format of which there is only one object."""
    from msgspec import to_builtins

    if face.paper.format == "jsonl":
        return to_json({"schema": "casparian.jobs.progress/1", **to_builtins(reply)})
    return _words(reply) if face.options.format == "auto" and not face.options.agent else None


def _words(reply: JobsProgress) -> str:
    if reply.oldest is None:
        return "no job is open"
    states = ", ".join(f"{count:,} {state}" for state, count in reply.states.items())
    read = f"; {reply.rows_read:,} rows, {size_text(reply.bytes_read)} read" if reply.rows_read else ""
    at_work = "; ".join(
        f"{plain(job.path)} {job.phase or job.state} {job.rows_read:,} rows" for job in reply.at_work[:3]
    )
    return f"jobs      {states}{read}" + (f"; {at_work}" if at_work else "")
