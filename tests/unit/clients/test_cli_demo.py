"""What the demo says about a step that does not end as it should."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from casparian_flow.clients.cli.root import run
from casparian_flow.operations.doing.home import demo


def test_a_step_that_ends_otherwise_is_named_and_fails_the_demo(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("CASPARIAN_HOME", str(tmp_path / "own"))
    before = Path.cwd()
    wrong = msgspec.structs.replace(demo.JOURNEY[0], exit_code=7, shows=("no such text",))
    monkeypatch.setattr(demo, "JOURNEY", (wrong,))
    assert run(["demo", "--keep", str(tmp_path / "case")]) == 1
    said = capsys.readouterr().out
    assert "NOT as expected: casparian init" in said
    assert "it ended with 0, not with 7" in said and "it did not say 'no such text'" in said
    assert Path.cwd() == before and os.environ["CASPARIAN_HOME"] == str(tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_every_step_is_a_command_with_something_to_say_or_a_line_for_a_file() -> None:
    for step in demo.JOURNEY:
        assert bool(step.words) != bool(step.appends), step.says
        assert bool(step.words) == bool(step.shows), step.says
