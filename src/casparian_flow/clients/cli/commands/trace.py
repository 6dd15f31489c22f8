"""`casparian trace`: from a record, a file or a job back to bytes, parser and contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import plain

if TYPE_CHECKING:
    from casparian_flow.operations.why import Why


@click.command("trace")
@click.argument("subject", metavar="FILE|FILE:RECORD|JOB")
@pass_face
def command(face: Face, subject: str) -> None:
    """The chain from rows back to bytes: table, contract, job, parser, file version, every place of the bytes."""
    from casparian_flow.operations.why import AskWhy

    reply = face.ask("why", AskWhy(subject=subject))
    face.show("casparian.trace/1", reply, _lines(reply))


def _lines(reply: Why) -> Iterator[str]:
    file = reply.file.file
    for row in reply.rows:
        yield f"record {reply.record} {row.role} in {plain(row.table)} contract v{row.contract} at {plain(row.sink)}"
    if reply.job is not None:
        job = reply.job
        for output in job.outputs:
            shown = "current" if output.is_current else "superseded"
            place = f"{plain(output.table)} contract v{output.contract} at {plain(output.sink)}"
            yield f"table {place}: {output.accepted} rows, {shown}"
        yield f"└ job {job.job.job} attempt {job.job.attempt}, {job.job.state}"
        yield f"  └ parser {plain(job.job.parser)}"
        yield f"  └ bytes {job.source_hash}"
    yield f"    └ {plain(file.source)}/{plain(file.path)}"
    yield from (f"    └ {plain(path)}" for path in reply.file.also_at)
    yield from (
        f"    └ earlier version {version.source_hash} of {version.detected}"
        for version in reply.file.versions
        if not version.is_current
    )
