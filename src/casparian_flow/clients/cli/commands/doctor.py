"""`casparian doctor`: what may be wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import plain

if TYPE_CHECKING:
    from casparian_flow.operations.doctor import Diagnosis


@click.command("doctor")
@pass_face
def command(face: Face) -> int:
    """Check the home and the machine; every finding comes with what to do."""
    from casparian_flow.operations.doctor import Examine, Health

    reply = face.ask("doctor", Examine())
    face.show("casparian.doctor/1", reply, _lines(reply))
    return 1 if reply.health is Health.FAIL else 0


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    for check in diagnosis.checks:
        yield f"{check.health:<5} {check.check:<12} {plain(check.found)}"
        if check.fix:
            yield f"      {'':<12} fix: {plain(check.fix)}"
