"""Documentation is true: its commands run, its reference is fresh, its links lead somewhere, nothing is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from casparian_flow.core.errors import EXIT_CODES, every_error
from casparian_flow.core.lineage import LINEAGE_SAYS
from casparian_flow.core.reasons import RunReason, SkipReason
from casparian_flow.settings import known_keys
from casparian_flow.store.published import PUBLISHED
from pages import Typed, complaints, typed
from product import warm_process

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FIRST_READ = "first-table"
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PROGRAMS = {
    "casparian": """#!/bin/sh
case " $* " in *" --json "*|*" -f "*|*" --format "*|*" export "*) ;; *) set -- "$@" --format table ;; esac
case "$1" in start|serve|worker) exec {python} -m casparian_flow "$@" ;; *) exec {casparian} "$@" ;; esac
""",
    "python": """#!/bin/sh
exec {python} "$@"
""",
}
"""What a page finds within reach of its shell; a person at a terminal sees tables, and so do the tests."""
COLD = "{python} -m casparian_flow"
WARM = "{python} -I -S {tests}/warm_process.py ask {address}"
"""What people read first is tried with commands that begin as theirs do; all others are forked off a warm process."""


def tried(page: Path) -> object:
    """A page as a case; what people type first is tried with the fast tests, the others with the slow ones."""
    return pytest.param(page, marks=() if page.stem == FIRST_READ else pytest.mark.slow, id=page.stem)


@pytest.mark.parametrize("page", [tried(page) for page in PAGES if typed(page)])
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    programs, folder = tmp_path / "bin", tmp_path / "here"
    programs.mkdir()
    folder.mkdir()
    casparian = COLD if page.parent == ROOT or page.parent.name == "tutorials" else WARM
    here = {"python": sys.executable, "tests": ROOT / "tests", "address": warm_process().address}
    for name, text in PROGRAMS.items():
        (programs / name).write_text(text.format(python=sys.executable, casparian=casparian.format(**here)))
        (programs / name).chmod(0o755)
    environment = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    where = tmp_path / "where"
    where.write_text(str(folder))
    for each in typed(page):
        done = subprocess.run(
            ["bash", "-c", f"trap 'pwd > {where}' EXIT\n{each.command}"],
            cwd=where.read_text().strip(),
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == each.code, f"{each.command}\n{done.stdout}\n{done.stderr}"
        for text in each.shows:
            assert text in said, f"{each.command}\ndid not show: {text}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_of_a_page_escapes_being_run_without_a_reason(page: Path) -> None:
    assert list(complaints(page, is_generated=page.parent == ROOT / "docs" / "reference")) == []


def test_a_block_that_escapes_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nls\n```\n\n<!-- not run: needs a printer -->\n```sh\nlp\n```\n\n```text\n$ ls\n```\n\n"
        "- deeper\n\n  ```console\n  $ echo one   # ends with 3\n  one\n  ```\n\n```\n?\n```\n\n"
        "<!-- not run: -->\n```bash\nid\n```\n\n```python\nprint(4)\n```\n\n```python\n>>> 4\n4\n```\n"
    )
    noticed = [each.rsplit(": ", 1)[1] for each in complaints(page, is_generated=False)]
    assert noticed == ["ls", "$ ls", "?", "id", "print(4)"]
    assert typed(page) == [Typed("echo one", 3, ["one"])]


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/tutorials/*.md")), ids=lambda page: page.stem)
def test_a_tutorial_ends_with_the_next_step(page: Path) -> None:
    last = page.read_text(encoding="utf-8").strip().split("\n\n")[-1]
    assert last.startswith("Next: ") and LINK.search(last)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_product_says_now() -> None:
    assert generator().stale() == [], "run docs/generate.py"


def test_nothing_is_missing_from_the_reference() -> None:
    text = "".join(generator().page(name) for name in generator().PAGES)
    codes = {each.code for each in every_error()}
    words = [*codes, *LINEAGE_SAYS, *known_keys(), *PUBLISHED, *RunReason, *SkipReason]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_reason_is_explained() -> None:
    text = (ROOT / "docs" / "explanation" / "incremental.md").read_text(encoding="utf-8")
    assert [code for code in [*RunReason, *SkipReason] if f"| `{code}` |" not in text] == []


def test_every_exit_code_that_an_error_has_is_explained() -> None:
    assert {each.exit_code for each in every_error()} <= EXIT_CODES.keys()


def test_every_promise_names_the_tests_that_prove_it() -> None:
    page = (ROOT / "docs" / "explanation" / "invariants.md").read_text(encoding="utf-8")
    marked: dict[int, set[str]] = {}
    for file in (ROOT / "tests").rglob("test_*.py"):
        for number in re.findall(r"^@pytest\.mark\.invariant\((\d+)\)", file.read_text(encoding="utf-8"), re.MULTILINE):
            marked.setdefault(int(number), set()).add(str(file.relative_to(ROOT)))
    rows = {int(row[0]): row[-1] for line in page.splitlines() if (row := line.strip("| ").split(" | "))[0].isdigit()}
    named = {number: set(re.findall(r"`(tests/[^`]+)`", cell)) for number, cell in rows.items()}
    assert named.keys() == marked.keys()
    assert {number: files - marked[number] for number, files in named.items() if files - marked[number]} == {}


def test_the_modules_that_explanations_name_exist() -> None:
    for page in (ROOT / "docs" / "explanation").glob("*.md"):
        names = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", page.read_text(encoding="utf-8"))
        assert [
            n for n in names if not ((ROOT / "src" / "casparian_flow" / n).exists() or (ROOT / n).exists())
        ] == [], page
