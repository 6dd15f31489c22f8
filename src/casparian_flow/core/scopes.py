"""What somebody who asks over the control API may ask for."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """One right. `operate` and `approve` let read too, `admin` lets do everything."""

    READ = "read"
    OPERATE = "operate"
    APPROVE = "approve"
    ADMIN = "admin"


def allows(held: frozenset[Scope], needed: Scope) -> bool:
    """Whether the scopes held are enough for what is needed."""
    if Scope.ADMIN in held or needed in held:
        return True
    return needed is Scope.READ and bool(held)
