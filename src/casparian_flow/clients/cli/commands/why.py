"""`casparian why`: the decision behind a file, a record or a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.receipts import receipt_lines
from casparian_flow.clients.cli.render import counted, plain

if TYPE_CHECKING:
    from casparian_flow.operations.lineage.why import DecidedContract, ErasedPart, RevertedPart, Why
    from casparian_flow.operations.query.rows import FoundRow


@click.command("why")
@click.argument("subject", metavar="FILE|FILE:RECORD|ROW|JOB")
@pass_face
def command(face: Face, subject: str) -> None:
    """Why a file was read or skipped, why a record is where it is, why a job ended as it did."""
    from casparian_flow.operations.lineage.why import AskWhy

    reply = face.ask("why", AskWhy(subject=subject))
    face.show("casparian.why/1", reply, _lines(reply))


def _lines(reply: Why) -> Iterator[str]:
    """The answer first: what became of a record, and under which contract; then how it came to that."""
    for row in reply.rows:
        yield from _rejected(reply.record, row) if row.message else _accepted(reply.record, row)
    for part in () if reply.rows else reply.erased:
        yield _erased(reply.record, part)
    for taken in () if reply.rows else reply.reverted:
        yield from _reverted(reply.record, taken)
    yield from (_decided(each) for each in reply.contracts if reply.rows)
    if reply.rows or reply.erased or reply.reverted:
        yield ""
    yield from _decision(reply)


def _erased(record: int | None, part: ErasedPart) -> str:
    """What is known of rows that are nowhere."""
    rows = counted(part.rows, "row")
    said = f"record {record} is in no table; " if record is not None else ""
    said += f"{rows} that this file brought to {plain(part.table)} {'was' if part.rows == 1 else 'were'} erased"
    return f"{said} by {part.purge} on {part.at[:10]}: casparian approval show {part.purge}"


def _reverted(record: int | None, part: RevertedPart) -> Iterator[str]:
    """What is known of rows that a person took out."""
    said = f"record {record} is in no table; " if record is not None else ""
    said += f"{counted(part.rows, 'row')} that this file brought to {plain(part.table)} in {plain(part.sink)} "
    said += f"{'was' if part.rows == 1 else 'were'} taken out by a revert of {plain(part.by)} on {part.at[:10]}"
    yield said + (f": {plain(part.reason)}" if part.reason else "")
    yield f"  the way back: {plain(part.back)}"


def _decision(reply: Why) -> Iterator[str]:
    file = reply.file.file
    yield f"file      {plain(file.source)}/{plain(file.path)}"
    yield f"state     {file.state}: {plain(file.reason)}" + (f" ({plain(file.detail)})" if file.detail else "")
    for number, step in enumerate(reply.steps, 1):
        yield f"parser    {number}. {plain(step)}"
    if reply.job is not None:
        job = reply.job.job
        yield f"job       {job.job} by {plain(job.parser)}: {job.state}, because {plain(job.reason)}"
        erased = f", {job.purged} erased" if job.purged else ""
        yield f"rows      {job.accepted} accepted, {job.quarantined} quarantined{erased}"
        yield from receipt_lines(reply.job)
        if job.error:
            yield f"error     {plain(job.error)}: {plain(job.message or '')}"
        for verdict in reply.job.verdicts:
            runner_up = f", else {plain(verdict.runner_up)}" if verdict.runner_up else ""
            yield f"detected  {plain(verdict.name)} {plain(verdict.value)} ({verdict.confidence:.0%}{runner_up})"
        for group in reply.job.groups:
            yield f"rejected  {group.rows} rows of {plain(group.table)}: {plain(group.code)} {plain(group.message)}"
    yield from (_decided(each) for each in reply.contracts if not reply.rows)


def _decided(contract: DecidedContract) -> str:
    """A contract, and who decided it."""
    text = f"contract  {plain(contract.table)} version {contract.version}"
    if contract.proposal is None:
        return text
    text += f", by {contract.proposal}"
    if contract.by:
        text += f" (approved by {', '.join(map(plain, contract.by))}"
        text += ", self_approved)" if contract.is_self_approved else ")"
    if contract.at:
        text += f" on {contract.at[:10]}"
    return f"{text}: casparian approval show {contract.proposal}"


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
