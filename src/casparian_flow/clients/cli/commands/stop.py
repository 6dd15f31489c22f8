"""`casparian stop`: the end of the sentinel that holds the home."""

from __future__ import annotations

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.core.errors import ConnectionLost, SentinelMissing

ENDING_SECONDS = 30.0


@click.command("stop")
@click.option("--drain", is_flag=True, help="Let workers finish what they read; with --timeout S for so long.")
@pass_face
def command(face: Face, drain: bool) -> None:
    """End the sentinel: what is not finished goes back to the queue, and the next start goes on with it."""
    from casparian_flow.clients.service.ended import wait_until_ended
    from casparian_flow.operations.service.sentinel import StopSentinel

    endpoint = face.sentinel
    if endpoint is None:
        raise SentinelMissing("no sentinel holds this home", where=str(face.home.path), fix="casparian status")
    reply = face.ask("sentinel.stop", StopSentinel(drain=drain, seconds=face.options.timeout if drain else None))
    patience = face.options.timeout
    if drain and patience is not None:
        patience += ENDING_SECONDS  # after the time for draining it has to give back and to close
    if endpoint.is_here and not wait_until_ended(reply.pid, patience):
        raise ConnectionLost("the sentinel was asked to end and still runs", where=f"process {reply.pid}")
    said = "finished what they held" if drain else f"gave back what they held ({reply.held:,} jobs)"
    lines = [f"process {reply.pid} ended; workers {said}" if endpoint.is_here else f"process {reply.pid} ends"]
    face.show("casparian.stop/1", reply, lines)
