"""How what `operations.job.logs` names is done."""

from __future__ import annotations

import re

from sqlalchemy import RowMapping

from casparian_flow.core.errors import UsageError
from casparian_flow.core.jobs import FINAL_STATES
from casparian_flow.operations.context import Reading
from casparian_flow.operations.doing.job.jobs import one_job
from casparian_flow.operations.job.logs import STREAMS, JobLogLine, JobLogs, ReadJobLogs
from casparian_flow.store.views import jobs as view

START = "0.0"

LATE_NS = 2_000_000_000
"""Lines travel with the worker's heartbeats, up to two of them behind the end of the job."""


def logs(reading: Reading, request: ReadJobLogs) -> JobLogs:
    """What was written while one job ran; raises NotFound."""
    if not 1 <= request.lines <= 100_000:
        raise UsageError("1 to 100000 lines can be read at once")
    if request.stream is not None and request.stream not in STREAMS:
        raise UsageError(f"a stream is {' or '.join(STREAMS)}, not {request.stream}")
    after = None if request.after is None else _place(request.after)
    row = one_job(reading.connection, request.job)
    if after is None:
        found = view.last_lines(reading.connection, row["id"], request.stream, request.lines)
    else:
        found = list(view.lines_after(reading.connection, row["id"], request.stream, after, request.lines))
    lines = [
        JobLogLine(attempt=each["attempt"], line=each["line"], stream=each["stream"], text=each["text"])
        for each in found
    ]
    return JobLogs(
        job=str(row["id"]),
        lines=lines,
        next=f"{lines[-1].attempt}.{lines[-1].line}" if lines else request.after or START,
        is_over=_is_quiet(row, reading.now_ns) and (after is None or len(lines) < request.lines),
    )


def _is_quiet(row: RowMapping, now_ns: int) -> bool:
    """Whether the job is over, and what was written at its very end had the time to arrive."""
    return row["state"] in FINAL_STATES and now_ns - (row["finished_at_ns"] or 0) > LATE_NS


def _place(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,9})\.([0-9]{1,10})", text)
    if found is None:
        raise UsageError("the place is not one that an answer gave out", why=text, fix=START)
    return int(found[1]), int(found[2])
