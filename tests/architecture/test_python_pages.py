"""The Python sessions of the documentation are true: each is run, and what it shows is compared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(>>> .*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [page for page in sorted(ROOT.glob("docs/**/*.md")) if BLOCK.search(page.read_text(encoding="utf-8"))]
RUN = """
import doctest, sys
test = doctest.DocTestParser().get_doctest(sys.stdin.read(), {"__name__": "__main__"}, "page", "page", 0)
runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
print(runner.run(test))
sys.exit(runner.failures > 0)
"""


def test_there_are_pages_with_sessions() -> None:
    assert "use-from-python" in [page.stem for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_session_shows_what_the_page_says(page: Path, tmp_path: Path) -> None:
    session = "".join(BLOCK.findall(page.read_text(encoding="utf-8")))
    environment = {"PYTHONPATH": str(ROOT / "src"), "PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    arguments = [sys.executable, "-W", "error", "-c", RUN]
    done = subprocess.run(
        arguments, input=session, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "attempted=0" not in done.stdout
