"""One file that a person points at: what it holds, and the name that its table gets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.core.errors import NotFound, SourceUnreadable, UsageError
from casparian_flow.core.tables import CONTROL_PREFIXES, table_from_file_name
from casparian_flow.core.text import safe_text
from casparian_flow.scout.content import ContentKind, sniff
from casparian_flow.scout.hashing import Hashed, hash_file
from casparian_flow.sinks.layout import checked_table


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read once. `path` has no links in it, so that what belongs to a database lies beside it."""

    path: Path
    hashed: Hashed
    kind: ContentKind


def look_at(path: Path) -> Source:
    """The file at an absolute path.

    Raises NotFound, UsageError for what is no ordinary file, SourceUnreadable, and SourceChanged if it changes now.
    """
    shown = safe_text(str(path))
    try:
        real = path.resolve(strict=True)
        if not real.is_file():
            raise UsageError(f"{shown} is not a file", fix="name one file")
        hashed = hash_file(os.fsencode(real))
    except FileNotFoundError as exc:
        raise NotFound(f"there is no file {shown}") from exc
    except (OSError, RuntimeError) as exc:  # a loop of links is a RuntimeError
        raise SourceUnreadable(f"{shown} cannot be read", why=getattr(exc, "strerror", None) or str(exc)) from exc
    return Source(real, hashed, sniff(hashed.head, hashed.size))


def base_table(path: Path, asked: str | None) -> str:
    """The table that was asked for, else the one named after the file; raises UsageError if it cannot be one."""
    if asked is None:
        return table_from_file_name(path.name)
    return asked_table(asked)


def asked_table(name: str) -> str:
    """The same name; raises UsageError unless a table can have it."""
    if name.startswith(CONTROL_PREFIXES):
        raise UsageError(f"the control tables have names like {name}", fix=f"--table t_{name}")
    return checked_table(name)
