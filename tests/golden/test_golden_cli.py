"""What two commands print, letter by letter; `UPDATE_GOLDEN=1 pytest tests/golden` writes the files anew."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from builders import eventful_home, open_control
from casparian_flow.clients.cli.root import run

GOLDEN = Path(__file__).parent / "cli"
LINES = {
    "files": "files",
    "file": "files show failed.csv",
    "status": "status",
    "explain": "explain home-busy",
    "topic": "help agents",
}


@pytest.mark.parametrize("format_", ["table", "plain", "json"])
@pytest.mark.parametrize("name", LINES)
def test_the_output_is_as_agreed(name, format_, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    home = eventful_home(tmp_path / "home").path
    assert run(["--home", str(home), *shlex.split(LINES[name]), "-f", format_], open_control) == 0
    found = capsys.readouterr().out.replace(str(home), "HOME")
    # What the home takes on disk depends on the machine.
    found = re.sub(r'(disk"?:?\s+)[0-9.]+( [kM]?B)?', r"\1SIZE", found)
    golden = GOLDEN / f"{name}.{format_}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")
