"""The root of the error tree."""

from __future__ import annotations

INSTEAD = "in place of"
"""Between the option that a fix asks for and one that it replaces, which may name just what its value is about."""


class CasparianError(Exception):
    """The root. `message` says what happened; `where`, `why` and `fix` are one line each."""

    code = "error"
    exit_code = 1
    hint = ""
    transient = False

    def __init__(self, message: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.why = why
        self.fix = fix or self.hint
