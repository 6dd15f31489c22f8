"""How what `operations.home.complete` names is done."""

from __future__ import annotations

import re
import sqlite3

from casparian_flow.manual import entries, topics
from casparian_flow.operations.home.complete import CompleteWord, Names
from casparian_flow.operations.local import Local
from casparian_flow.settings import known_keys
from casparian_flow.store import names

SECONDS = 0.15
HARMLESS = re.compile(r"[\w@.:/+-]+")
"""Names that a shell takes as one word that does nothing; others, which may come from files, are never offered."""


def complete(local: Local, request: CompleteWord) -> Names:
    """Names that begin with the word. A home that is missing, broken or slow gives none: a word is being typed."""
    found = [each for each in _known(local, request.kind) if each.startswith(request.word)]
    return Names(names=[each for each in found if HARMLESS.fullmatch(each)])


def _known(local: Local, kind: str) -> list[str]:
    match kind:
        case "key":
            return list(known_keys())
        case "code":
            return list(entries.entries())
        case "help":
            return topics.names()
    if kind not in names.STATEMENTS:
        return []
    try:
        found = names.names(local.home.state, kind, SECONDS)
    except sqlite3.Error:
        return []
    return [*found, "@last"] if kind in ("job", "plan") and found else found
