"""A page of documentation as a person follows it: what it has one type, and what it says will be seen.

A fence is one of these, and nothing else:
- `console`: each `$ ` line is typed into a shell, `> ` lines continue it, other lines must be seen; a line of
  nothing but `…` stands for more. `# ends with N` names an exit code that is not 0.
- `python`: a session of `>>> ` lines, which `architecture/test_python_pages.py` runs.
- any other language after a comment `<!-- not run: REASON -->`, or one of those that nobody can run.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

INERT = frozenset({"text", "json", "toml", "yaml", "csv"})
"""Languages of what is shown, never typed."""

_FENCE = re.compile(
    r"(?P<mark><!-- not run: *(?P<reason>[^>]*?) *-->\s*?\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_COMMAND = re.compile(r"^(\$ |casparian |casp )", re.MULTILINE)
_ENDS_WITH = re.compile(r"\s+# ends with (\d+)$")


@dataclass(frozen=True)
class Fence:
    """One fenced block."""

    language: str
    body: str
    reason: str | None
    """Why it is not run; None for one without such a comment."""


@dataclass
class Typed:
    """A command of a page, the exit code it ends with, and lines that it must show."""

    command: str
    code: int = 0
    shows: list[str] = field(default_factory=list)


def fences(page: Path) -> Iterator[Fence]:
    """Every fenced block of a page, in order."""
    for found in _FENCE.finditer(page.read_text(encoding="utf-8")):
        yield Fence(found["language"].strip(), textwrap.dedent(found["body"]), found["reason"])


def typed(page: Path) -> list[Typed]:
    """What a person who follows the page types into a shell, in order."""
    steps: list[Typed] = []
    for fence in fences(page):
        if fence.reason is None and fence.language == "console":
            steps += _commands(fence.body)
    return steps


def complaints(page: Path, is_generated: bool) -> Iterator[str]:
    """What in the fences of a page nobody runs although it looks as if somebody should."""
    for fence in fences(page):
        first = (fence.body.splitlines() or [""])[0]
        if fence.reason is not None:
            if not fence.reason:
                yield f"no reason is given for not running: {first}"
        elif fence.language in INERT:
            if not is_generated and _COMMAND.search(fence.body):
                yield f"commands stand in a console: {first}"
        elif fence.language == "console":
            if not first.startswith("$ "):
                yield f"a console starts with a command: {first}"
        elif fence.language == "python":
            if not first.startswith(">>> "):
                yield f"Python stands in a session: {first}"
        else:
            yield f"neither run nor marked as not run ({fence.language or 'no language'}): {first}"


def _commands(body: str) -> list[Typed]:
    found: list[Typed] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            ending = _ENDS_WITH.search(line)
            found.append(Typed(_ENDS_WITH.sub("", line)[2:], int(ending[1]) if ending else 0))
        elif line == ">" or line.startswith("> "):
            found[-1].command += f"\n{line[2:]}"
        elif line.strip("… "):
            found[-1].shows.append(" ".join(line.split()))
    return found
