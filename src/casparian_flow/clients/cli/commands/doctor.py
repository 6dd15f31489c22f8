"""`casparian doctor`: what may be wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import plain

if TYPE_CHECKING:
    from casparian_flow.operations.home.doctor import Diagnosis


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Put right what can be put right without losing anything, and say what.")
@pass_face
def command(face: Face, fix: bool) -> int:
    """Check the home and the machine; every finding comes with what to do."""
    from casparian_flow.operations.home.doctor import Examine, Health

    if fix:
        _fix(face)
    reply = face.ask("doctor", Examine())
    face.show("casparian.doctor/1", reply, _lines(reply))
    return 1 if reply.health is Health.FAIL else 0


def _fix(face: Face) -> None:
    """First what keeps the home from being opened, then what a process that was stopped left in it."""
    from casparian_flow.operations.home.doctor import Examine, Health, Mend, Recover

    mended = face.ask("doctor.fix", Mend()).mended
    checks = face.ask("doctor", Examine()).checks
    is_sound = all(check.health is not Health.FAIL for check in checks)
    if is_sound and any(check.check in ("database", "staging") and check.health is Health.WARN for check in checks):
        mended += face.ask("doctor.recover", Recover()).mended
    for each in mended:
        face.note(f"fixed {each.check}: {plain(each.done)}")
    if not mended:
        face.note("nothing was to be fixed")


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    for check in diagnosis.checks:
        yield f"{check.health:<5} {check.check:<12} {plain(check.found)}"
        if check.fix:
            yield f"      {'':<12} fix: {plain(check.fix)}"
