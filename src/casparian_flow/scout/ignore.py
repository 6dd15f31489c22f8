"""Which paths a source leaves out, in the syntax of .gitignore."""

# Paths are bytes, which pathlib does not take.

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from casparian_flow.core.errors import UsageError
from casparian_flow.core.files import display_path, system_path

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

RULES_FILE = b".casparianignore"
"""A file of rules at the root of a source; it is itself never parsed."""
MAX_RULES_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """Rules in the order in which they are asked; the last one that matches decides, `!` takes a path back in."""

    spec: GitIgnoreSpec | None = None

    def ignores(self, rel_path: bytes) -> bool:
        """Whether a path is left out; the path of a folder ends with a slash."""
        if self.spec is None:
            return False
        return rel_path == RULES_FILE or self.spec.match_file(system_path(rel_path))


def parse_rules(text: str) -> IgnoreRules:
    """Rules from text, one a line; a line that is not a rule raises UsageError with its number."""
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        return IgnoreRules()
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - most sources have no rules

    for number, line in enumerate(lines, 1):
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError as exc:
            raise UsageError(f"line {number} of the ignore rules is not a rule", where=line, why=str(exc)) from exc
    return IgnoreRules(GitIgnoreSpec.from_lines(lines))


def rules_of_source(root: bytes, stored: str) -> IgnoreRules:
    """The rules kept with a source, then those of the file at its root, which therefore win."""
    return parse_rules(f"{stored}\n{_read_rules_file(root)}")


def _read_rules_file(root: bytes) -> str:
    path = root.rstrip(b"/") + b"/" + RULES_FILE
    # A pipe under this name must not be waited for.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as exc:
        raise UsageError("the ignore rules cannot be read", where=display_path(path), why=str(exc.strerror)) from exc
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return ""
        data = stream.read(MAX_RULES_BYTES + 1)
    if len(data) > MAX_RULES_BYTES:
        raise UsageError("the ignore rules are larger than 1 MiB", where=display_path(path))
    return data.decode("utf-8", "surrogateescape")
