"""Documentation is true: its commands run, its reference is fresh, its links lead somewhere, nothing is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from casparian_flow.core.errors import CasparianError
from casparian_flow.core.lineage import LINEAGE_SAYS
from casparian_flow.core.reasons import RunReason, SkipReason
from casparian_flow.settings import known_keys
from casparian_flow.store.published import PUBLISHED

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
ENDS_WITH = re.compile(r"\s+# ends with (\d+)$")
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
SHIM = """#!/bin/sh
case " $* " in *" --json "*|*" -f "*|*" --format "*|" export "*) ;; *) set -- "$@" --format table ;; esac
exec {python} -m casparian_flow "$@"
"""


@dataclass
class Typed:
    """A command of a page, the exit code it ends with, and lines that it must show."""

    command: str
    code: int = 0
    shows: list[str] = field(default_factory=list)


def typed(page: Path) -> Iterator[Typed]:
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        found: list[Typed] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                ending = ENDS_WITH.search(line)
                found.append(Typed(ENDS_WITH.sub("", line)[2:], int(ending[1]) if ending else 0))
            elif line == ">" or line.startswith("> "):
                found[-1].command += f"\n{line[2:]}"
            elif line.strip("… "):
                found[-1].shows.append(" ".join(line.split()))
        yield from found


@pytest.mark.parametrize(
    "page", [page for page in PAGES if "```console" in page.read_text()], ids=lambda page: page.stem
)
def test_the_commands_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    programs, folder = tmp_path / "bin", tmp_path / "case"
    programs.mkdir()
    folder.mkdir()
    shim = programs / "casparian"
    shim.write_text(SHIM.format(python=sys.executable))
    shim.chmod(0o755)
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


def every_subclass(kind: type[CasparianError]) -> Iterator[type[CasparianError]]:
    for each in kind.__subclasses__():
        yield each
        yield from every_subclass(each)


def test_nothing_is_missing_from_the_reference() -> None:
    text = "".join(generator().page(name) for name in generator().PAGES)
    codes = {each.code for each in every_subclass(CasparianError) if each.__module__.startswith("casparian_flow.")}
    words = [*codes, *LINEAGE_SAYS, *known_keys(), *PUBLISHED, *RunReason, *SkipReason]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_reason_is_explained() -> None:
    text = (ROOT / "docs" / "explanation" / "incremental.md").read_text(encoding="utf-8")
    assert [code for code in [*RunReason, *SkipReason] if f"| `{code}` |" not in text] == []


def test_every_exit_code_that_an_error_has_is_explained() -> None:
    explained = generator().EXIT_CODES
    assert {each.exit_code for each in every_subclass(CasparianError)} <= explained.keys()


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
