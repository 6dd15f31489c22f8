"""What some commands print, letter by letter; `UPDATE_GOLDEN=1 pytest tests/golden` writes the files anew."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from builders import eventful_home, open_control
from casparian_flow.clients.cli.root import run
from landed_home import landed_home

GOLDEN = Path(__file__).parent / "cli"
LINES = {
    "files": "files",
    "file": "files show failed.csv",
    "status": "status",
    "explain": "explain home-busy",
    "topic": "help agents",
}
LINES_OF_LANDED = {
    "export": "export sales --to - --format csv",
    "output": "output list -f table",
    "output-history": "output history sales -f table",
    "output-revert": "output revert sales 2 --dry-run",
    "profile": "tables sales --profile -f table",
    "trace-down": "trace sales.csv",
    "trace-chart": "trace sales --as mermaid",
    "trace-row": "trace sales:3700000000000000001:1",
}


@pytest.mark.parametrize("format_", ["table", "plain", "json"])
@pytest.mark.parametrize("name", LINES)
def test_the_output_is_as_agreed(name, format_, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    home = eventful_home(tmp_path / "home").path
    assert run(["--home", str(home), *shlex.split(LINES[name]), "-f", format_], open_control) == 0
    found = capsys.readouterr().out.replace(str(home), "HOME")
    # What the home takes on disk depends on the machine.
    agree(f"{name}.{format_}", re.sub(r'(?m)(^disk +|"disk": |^disk\t)[0-9.]+( [kM]?B)?', r"\1SIZE", found))


@pytest.mark.parametrize("name", LINES_OF_LANDED)
def test_what_is_said_of_a_table_that_landed_is_as_agreed(name, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("COLUMNS", "100")
    home = landed_home(tmp_path / "home").path
    assert run(["--home", str(home), *shlex.split(LINES_OF_LANDED[name])], open_control) == 0
    agree(name, capfd.readouterr().out.replace(str(home), "HOME"))


def agree(name: str, found: str) -> None:
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
