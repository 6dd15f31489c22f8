"""What would likely release rejected rows: only options that the parser really has, and commands that are there."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from casparian_flow.core.quarantine import Code, EntryState

NULL_WORDS = frozenset({"na", "n/a", "#n/a", "null", "none", "nil", "nan", "-", "--", "?", ".", "\\n"})
"""What people write where there is no value, in small letters."""
FEW = 20
"""So many rows are put right by hand."""
OF_ONE_RECORD = ("cf.csv.", "cf.json.", "cf.log.")
"""Codes of records that can be written out by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A cause of rejections: the parser that read the rows, what one of them looks like, and what was done already."""

    reference: str
    parser: str
    table: str
    code: str
    column: str
    sample: str
    rows: int
    state: EntryState = EntryState.OPEN
    nulls: tuple[str, ...] = ()
    """The words that mean null already where its files are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """What to try: an option of the parser as `name=value`, if it is one, and the command."""

    command: str
    option: str | None = None

    @property
    def short(self) -> str:
        """As much as a list has room for."""
        return self.command if self.option is None else f"--option {shlex.quote(self.option)}"


def suggested(cause: Cause, options: Collection[str]) -> Fix | None:
    """What would likely release the rows of a cause, whose parser understands these options; None if nothing is known.

    Nothing of a file becomes part of a command but words that are known to mean null. An option names beside them those
    that mean null already, since it takes the place of what is read with now.
    """
    if cause.state is EntryState.FIX_READY:
        return Fix(command=f"casparian quarantine replay {cause.reference}")
    is_cast = cause.code.startswith(Code.CAST)
    word = cause.sample.strip()
    if is_cast and "null" in options and word.lower() in NULL_WORDS and word not in cause.nulls:
        return _with_option(cause, f"null={','.join([*cause.nulls, word])}")
    if cause.code == "cf.csv.quote" and "quote" in options:
        return _with_option(cause, "quote=none")
    if cause.code in ("cf.csv.encoding", "cf.log.encoding", "cf.text.encoding") and "encoding" in options:
        return _with_option(cause, "encoding=cp1252")
    if cause.rows <= FEW and (
        is_cast or cause.code in (Code.NULL, Code.REPAIR) or cause.code.startswith(OF_ONE_RECORD)
    ):
        return Fix(command="casparian quarantine repair ROW --set COLUMN=VALUE --reason TEXT")
    return None


def _with_option(cause: Cause, option: str) -> Fix:
    command = f"casparian quarantine replay {cause.reference} --option {shlex.quote(option)}"
    return Fix(command=command, option=option)
