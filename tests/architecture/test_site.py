"""The site of the documentation: every page is in it, every link leads somewhere, nothing is fetched from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FETCHED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
ELSEWHERE = re.compile(r"^\s*(?:[a-z]+:)?//", re.IGNORECASE)
STYLED = re.compile(r"""url\(\s*["']?((?:https?:)?//[^)"']+)|@import\s+["']((?:https?:)?//[^"']+)""")


class Resources(HTMLParser):
    """What a browser fetches to show a page, and where its links lead."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in FETCHED and (target := found.get(FETCHED[tag])):
            self.fetched.append(target)
        if tag == "a" and (target := found.get("href")):
            self.links.append(target)


def built(where: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # never --quiet: warnings that are not shown are not counted by --strict
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=where,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = built(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("target", ["nowhere.md", "decisions/README.md#nothing-of-that-name"])
def test_a_link_that_leads_nowhere_fails_the_build(target: str, tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    (tmp_path / "docs" / "glossary.md").write_text(f"# Glossary\n\n[x]({target})\n")
    done = built(tmp_path, tmp_path / "site")
    assert done.returncode != 0 and target.split("#")[-1] in done.stderr


@pytest.mark.slow
def test_no_page_of_the_site_fetches_anything_from_another_host(site: Path) -> None:
    fetched = {str(page.relative_to(site)): Resources(page).fetched for page in site.rglob("*.html")}
    assert sum(map(len, fetched.values())) > len(fetched), "nothing was found: the test looks in the wrong place"
    assert {page: out for page, all_ in fetched.items() if (out := list(filter(ELSEWHERE.match, all_)))} == {}
    assert [path.name for path in site.rglob("*.css") if STYLED.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
def test_every_page_is_in_the_site_and_reached_from_its_navigation(site: Path) -> None:
    pages = {page.relative_to(DOCS).with_suffix(".html").as_posix() for page in DOCS.rglob("*.md")}
    pages = {page.replace("README.html", "index.html") for page in pages}
    assert pages <= {page.relative_to(site).as_posix() for page in site.rglob("*.html")}
    assert pages <= {os.path.normpath(link.split("#")[0]) for link in Resources(site / "index.html").links}


@pytest.mark.slow
def test_words_are_found_without_a_server_of_anybody(site: Path) -> None:
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    assert "quarantine" in index
    assert not (site / "navigation.py").exists() and not (site / "generate.py").exists()


def test_no_page_has_a_drawing_that_needs_a_script_from_elsewhere() -> None:
    assert [page.name for page in DOCS.rglob("*.md") if "```mermaid" in page.read_text(encoding="utf-8")] == []
