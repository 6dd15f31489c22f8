"""Topics: pages about what many commands share, some with lists that the product makes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from casparian_flow.core.errors import EXIT_CODES
from casparian_flow.core.lineage import LINEAGE_SAYS
from casparian_flow.manual.entries import entries

FOLDER = Path(__file__).parent / "topics"
AGENT_ROWS = 200
"""Items that an answer holds at most when an agent asks."""
AGENT_BYTES = 64 << 10
"""Bytes that such an answer holds at most."""


def names() -> list[str]:
    """The name of every topic, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.md"))


def topic(name: str) -> str:
    """The page of one topic as Markdown; its first line is its title."""
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    for word, make in _LISTS.items():
        text = text.replace(f"{{{word}}}", make())
    return text


def summary(name: str) -> str:
    """The title of one topic."""
    with (FOLDER / f"{name}.md").open(encoding="utf-8") as file:
        return file.readline().removeprefix("# ").strip()


def _listed(pairs: Iterable[tuple[object, str]]) -> str:
    return "\n".join(f"- `{name}`: {says}" for name, says in pairs)


def _of_kind(kind: str) -> str:
    return _listed((entry.code, entry.meaning) for entry in entries().values() if entry.kind == kind)


_LISTS: dict[str, Callable[[], str]] = {
    "exit_codes": lambda: _listed(EXIT_CODES.items()),
    "reasons": lambda: _of_kind("reason"),
    "rejections": lambda: _of_kind("rejection"),
    "row_columns": lambda: _listed((name, f"{says}.") for name, says in LINEAGE_SAYS.items()),
    "agent_rows": lambda: str(AGENT_ROWS),
    "agent_bytes": lambda: f"{AGENT_BYTES:,}",
}
