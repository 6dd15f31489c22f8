"""`casparian why`: the decision behind a file, a record or a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.receipts import receipt_lines
from casparian_flow.clients.cli.render import plain

if TYPE_CHECKING:
    from casparian_flow.operations.rows import FoundRow
    from casparian_flow.operations.why import Why


@click.command("why")
@click.argument("subject", metavar="FILE|FILE:RECORD|JOB")
@pass_face
def command(face: Face, subject: str) -> None:
    """Why a file was read or skipped, why a record is where it is, why a job ended as it did."""
    from casparian_flow.operations.why import AskWhy

    reply = face.ask("why", AskWhy(subject=subject))
    face.show("casparian.why/1", reply, _lines(reply))


def _lines(reply: Why) -> Iterator[str]:
    file = reply.file.file
    yield f"file      {plain(file.source)}/{plain(file.path)}"
    yield f"state     {file.state}: {plain(file.reason)}" + (f" ({plain(file.detail)})" if file.detail else "")
    for number, step in enumerate(reply.steps, 1):
        yield f"parser    {number}. {plain(step)}"
    if reply.job is not None:
        job = reply.job.job
        yield f"job       {job.job} by {plain(job.parser)}: {job.state}, because {plain(job.reason)}"
        yield f"rows      {job.accepted} accepted, {job.quarantined} quarantined"
        yield from receipt_lines(reply.job)
        if job.error:
            yield f"error     {plain(job.error)}: {plain(job.message or '')}"
        for verdict in reply.job.verdicts:
            runner_up = f", else {plain(verdict.runner_up)}" if verdict.runner_up else ""
            yield f"detected  {plain(verdict.name)} {plain(verdict.value)} ({verdict.confidence:.0%}{runner_up})"
        for group in reply.job.groups:
            yield f"rejected  {group.rows} rows of {plain(group.table)}: {plain(group.code)} {plain(group.message)}"
    for row in reply.rows:
        yield ""
        yield from _rejected(reply.record, row) if row.message else _accepted(reply.record, row)


def _accepted(record: int | None, row: FoundRow) -> Iterator[str]:
    yield f"record {record} is in table {plain(row.table)} as row {row.row}"
    yield from _values(row)


def _rejected(record: int | None, row: FoundRow) -> Iterator[str]:
    """What was wrong, where it stands, and what was there."""
    place = f"bytes {row.start}-{row.end}" if row.start is not None else plain(row.locator or "")
    yield f"record {record} is in the quarantine of {plain(row.table)} as row {row.row}{place and ', '}{place}"
    yield f"  wrong   {plain(row.message)}"
    for fault in row.faults:
        column = f" in {plain(fault.column)}" if fault.column else ""
        expected = f": expected {plain(fault.expected)}" if fault.expected else ""
        # What was found where a record as a whole did not fit are its bytes, which follow.
        observed = f", found {plain(repr(fault.observed))}" if fault.observed is not None and fault.column else ""
        yield f"  code    {plain(fault.code)}{column}{expected}{observed}"
    if row.raw is not None:
        yield f"  bytes   {plain(row.raw)}"
    yield from _values(row)


def _values(row: FoundRow) -> Iterator[str]:
    yield from (f"  {plain(name)} = {plain(value)}" for name, value in row.values.items() if value is not None)
