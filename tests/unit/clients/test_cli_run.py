"""What a run says at its end."""

from __future__ import annotations

import pytest

from casparian_flow.clients.cli.commands.run import that_shows
from casparian_flow.operations.run_reply import FailedFile


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
