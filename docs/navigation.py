"""Makes the navigation of the site from the folders of docs/, so that a new page is in it without being listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
FOLDERS = {
    "tutorials": "Tutorials",
    "how-to": "How to",
    "explanation": "Explanation",
    "reference": "Reference",
    "decisions": "Decisions",
}
FIRST = ("README", "first-table", "event-logs", "commands")
"""Pages that come before the others of their folder, which follow by name."""


def on_config(config: Any) -> Any:
    """The hook that MkDocs calls when it has read its configuration."""
    config["nav"] = [
        {"Start": "README.md"},
        *({title: _pages(DOCS / folder)} for folder, title in FOLDERS.items()),
        {"Glossary": "glossary.md"},
    ]
    return config


def _pages(folder: Path) -> list[str]:
    pages = sorted(folder.glob("*.md"), key=_place)
    return [page.relative_to(DOCS).as_posix() for page in pages]


def _place(page: Path) -> tuple[int, str]:
    return FIRST.index(page.stem) if page.stem in FIRST else len(FIRST), page.stem
