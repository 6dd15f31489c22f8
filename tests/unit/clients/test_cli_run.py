"""What a run says at its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from casparian_flow.clients.cli.commands.run import FAILURES, _cut
from casparian_flow.clients.cli.errors import LONGEST_COMMAND, Failure, pasteable
from casparian_flow.clients.cli.face import Face
from casparian_flow.clients.cli.options import Options, Session
from casparian_flow.operations.run.next_step import that_shows
from casparian_flow.operations.run.reply import FailedFile


@pytest.mark.parametrize(
    ("states", "command"),
    [
        (["aborted", "aborted"], "casparian jobs --state aborted"),
        (["aborted", "failed"], "casparian files --state failed"),
        (["rejected"], "casparian files --state failed"),
    ],
)
def test_files_that_were_only_cancelled_are_shown_as_jobs(states: list[str], command: str) -> None:
    failures = [FailedFile(path="a", job="1", state=state, code="", message="", why="") for state in states]
    assert that_shows(failures) == command


@pytest.mark.parametrize(
    ("options", "shown"), [(Options(), 50), (Options(limit=3), 3), (Options(all=True), 70)], ids=["pipe", "few", "all"]
)
def test_a_long_list_of_files_is_cut_in_a_pipe_too(options: Options, shown: int, tmp_path: Path) -> None:
    face = Face(Session(replace(options, home=tmp_path)))
    files = [FailedFile(path=f"f{n}", job="1", state="aborted", code="", message="", why="") for n in range(70)]
    header, *lines = _cut(face, files, FAILURES, "files: casparian jobs --state aborted")
    assert "PATH" in header
    assert len([line for line in lines if line.startswith("f")]) == shown
    rest = [line for line in lines if not line.startswith("f")]
    assert rest == ([] if shown == 70 else [f"and {70 - shown} more files: casparian jobs --state aborted"])


def test_a_command_that_is_long_after_its_dashes_is_not_repeated() -> None:
    failure = Failure(code="interrupted", message="stopped", fix="--")
    assert pasteable(failure, ["run", "--", "a.csv"]).fix == "casparian run -- a.csv"
    assert pasteable(failure, ["run", "--", *(f"{n}.csv" for n in range(LONGEST_COMMAND))]).fix == ""
