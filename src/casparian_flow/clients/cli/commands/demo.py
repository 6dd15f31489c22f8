"""`casparian demo`: the whole journey on files made for it, command by command."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from casparian_flow.cases import CASE_FOLDER, REGISTRY, REGISTRY_VARIABLE
from casparian_flow.clients.cli.face import Face, pass_face

if TYPE_CHECKING:
    from casparian_flow.operations.home.demo_journeys import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One step as it went; `missing` is what the command should have said."""

    command: str
    exit_code: int
    expected: int
    missing: list[str]
    output: str

    @property
    def is_as_expected(self) -> bool:
        """Whether the command ended and spoke as it should."""
        return self.exit_code == self.expected and not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """The whole journey; `kept` says whether the folder is still there."""

    folder: str
    kept: bool
    is_as_expected: bool
    steps: list[Taken]


@click.command("demo")
@click.option(
    "--keep", type=click.Path(path_type=Path), metavar="DIR", help="Make the files and the home in DIR, and keep them."
)
@click.option(
    "--kind",
    type=click.Choice(("csv", "dfir", "logs")),
    metavar="csv|dfir|logs",
    help="What the files are like; by default some of everything.",
)
@pass_face
def command(face: Face, keep: Path | None, kind: str | None) -> int:
    """Show what the product does with a small directory of messy files, each command as it can be repeated."""
    from casparian_flow.lab.corpora import DemoKind
    from casparian_flow.operations.home.demo import MakeDemo

    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casparian-demo-")))
        made = face.ask("demo", MakeDemo(folder=str(folder), kind=DemoKind(kind or DemoKind.MIXED)))
        is_json = face.paper.format in ("json", "jsonl")
        if not is_json:
            click.echo(f"$ cd {shlex.quote(made.folder)}")
        taken = []
        with _standing_in(made.folder):
            for step in made.steps:
                if not is_json:
                    click.echo(f"\n# {step.says}\n$ {_line(step)}")
                taken.append(_take(step))
                if not is_json:
                    click.echo(taken[-1].output, nl=False)
    wrong = [each for each in taken if not each.is_as_expected]
    if is_json:
        from casparian_flow.clients.cli.render import write_record

        done = Demonstration(folder=made.folder, kept=keep is not None, is_as_expected=not wrong, steps=taken)
        write_record(face.paper, "casparian.demo/1", asdict(done), ())
    else:
        _show_end(made.folder, wrong, seconds=time.monotonic() - began, is_kept=keep is not None)
    return 1 if wrong else 0


def _line(step: Step) -> str:
    """What a person types for the step."""
    if step.words:
        return shlex.join(["casparian", *step.words])
    return f"echo {shlex.quote(step.appends)} >> {shlex.quote(step.to)}"


def _take(step: Step) -> Taken:
    if not step.words:
        with Path(step.to).open("a", encoding="utf-8") as file:
            file.write(f"{step.appends}\n")
        return Taken(command=_line(step), exit_code=0, expected=0, missing=[], output="")
    from casparian_flow.clients.cli.root import run

    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = run([*step.words, "--format", "table", "--no-progress"])
    said = output.getvalue()
    return Taken(
        command=_line(step),
        exit_code=code,
        expected=step.exit_code,
        missing=[text for text in step.shows if text not in said],
        output=said,
    )


@contextmanager
def _standing_in(folder: str) -> Iterator[None]:
    """Work in the folder, with none of the person's own homes and settings in the environment."""
    own = {name: value for name, value in os.environ.items() if name.startswith("CASPARIAN_")}
    for name in own:
        del os.environ[name]
    try:
        # A case that is made only to be shown does not belong on the person's list.
        os.environ[REGISTRY_VARIABLE] = str(Path(folder, CASE_FOLDER, REGISTRY))
        with contextlib.chdir(folder):
            yield
    finally:
        del os.environ[REGISTRY_VARIABLE]
        os.environ.update(own)


def _show_end(folder: str, wrong: list[Taken], *, seconds: float, is_kept: bool) -> None:
    click.echo()
    for step in wrong:
        click.echo(f"NOT as expected: {step.command}")
        if step.exit_code != step.expected:
            click.echo(f"  it ended with {step.exit_code}, not with {step.expected}")
        for text in step.missing:
            click.echo(f"  it did not say {text!r}")
    if not wrong:
        click.echo(f"Everything was as expected, in {seconds:.1f} s.")
    if is_kept:
        click.echo(f"The files are in {shlex.quote(folder)}/corpus; commands in that folder use its home, .casparian.")
    else:
        click.echo("The folder is removed again; `casparian demo --keep DIR` keeps it, to try the commands yourself.")
