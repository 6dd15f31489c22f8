"""The notebooks of the documentation run from top to bottom, and show what is stored in them.

`UPDATE_NOTEBOOKS=1` stores what they show now.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
RUN = """
import sys
import nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
CHANGING = re.compile(r"(?<=\+)[0-9a-f]{8}\b")
"""The digest of a parser, which changes with its code."""


def outputs(notebook: Any) -> list[Any]:
    """What each cell shows, without what differs from run to run."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            shown = {key: value for key, value in output.items() if key not in ("execution_count", "metadata")}
            found.append((cell["id"], json.loads(CHANGING.sub("…", json.dumps(shown)))))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_shows_what_is_stored_in_it(path: Path, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path / "tmp"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    fresh = tmp_path / path.name
    arguments = [sys.executable, "-c", RUN, str(path), str(fresh)]
    done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-3000:]
    notebook = json.loads(fresh.read_text(encoding="utf-8"))
    assert str(tmp_path) not in json.dumps(notebook), "a notebook shows no path of one machine"
    assert not list((tmp_path / "tmp").glob("casparian*"))
    if os.environ.get("UPDATE_NOTEBOOKS"):
        store(notebook, path)
    assert outputs(notebook) == outputs(json.loads(path.read_text(encoding="utf-8")))


def store(notebook: Any, path: Path) -> None:
    """Keep the outputs, without the times at which cells ran and the version of the kernel."""
    for cell in notebook["cells"]:
        cell["metadata"] = {}
    notebook["metadata"]["language_info"] = {"name": "python"}
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def test_there_is_a_notebook() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first-look"]
