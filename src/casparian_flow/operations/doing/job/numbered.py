"""Finds the one job or plan that a number, the beginning of one, `@last` or `@-1` names."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlalchemy import Connection

from casparian_flow.core.errors import UsageError

NthNewest = Callable[[Connection, int], int | None]
WithPrefix = Callable[[Connection, str], list[int]]


def resolve(
    connection: Connection, named: str, noun: str, nth_newest: NthNewest, with_prefix: WithPrefix
) -> int | None:
    """Its number, or None if there is none. Raises UsageError for a text that names nothing, or several."""
    if named == "@last":
        return nth_newest(connection, 0)
    if back := re.fullmatch(r"@-(\d{1,6})", named):
        return nth_newest(connection, int(back[1]))
    if not is_number(named):
        raise UsageError(
            f"{named!r} is not a {noun}", why=f"a {noun} is named by its number, the beginning of it, or @last"
        )
    found = with_prefix(connection, named)
    if len(found) > 1 and int(named) not in found:
        raise UsageError(f"several {noun}s begin with {named}", why=", ".join(map(str, found)), fix="give more digits")
    return int(named) if int(named) in found else next(iter(found), None)


def is_number(text: str) -> bool:
    """Whether the text can be the number of one, or its beginning."""
    return text.isascii() and text.isdigit() and len(text) <= 19
