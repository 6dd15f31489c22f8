"""`casparian completion`: the script that completes words in a shell."""

from __future__ import annotations

import os

import click

from casparian_flow.clients.cli.completion import SHELLS
from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import plain, write_record


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", "installs", is_flag=True, help="Put it where the shell looks for it, and say where.")
@pass_face
def command(face: Face, shell: str, installs: bool) -> None:
    """The completion script of a shell; jobs, parsers, tags, tables and settings are completed too."""
    from casparian_flow.clients.cli.completion import install, script

    if not installs:
        click.echo(script(shell), nl=False)
        return
    from dataclasses import asdict

    from casparian_flow.core.errors import UsageError

    try:
        done = install(shell, os.environ)
    except OSError as exc:
        raise UsageError(
            "the completion file cannot be written",
            where=str(exc.filename or ""),
            why=exc.strerror or str(exc),
            fix=f"casparian completion {shell} > FILE",
        ) from exc
    says = "written" if done.is_new else "was there already"
    lines = [f"{plain(file)} {says}" for file in done.files]
    write_record(face.paper, "casparian.completion/1", asdict(done), [*lines, plain(done.next)], is_plain=True)
