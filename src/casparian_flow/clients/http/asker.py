"""Who asks: by what right, from where, and over which kind of connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from casparian_flow.core.scopes import Scope, allows
from casparian_flow.operations.registry import Effect, Operation, Request

SCOPES = {
    Effect.READ: Scope.READ,
    Effect.DRAFT: Scope.OPERATE,
    Effect.EXECUTE: Scope.OPERATE,
    Effect.APPROVE: Scope.APPROVE,
}
EVERY = frozenset(Scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody whose right to ask was checked. `name` is a login name or the name of a token."""

    name: str
    uid: int | None
    scopes: frozenset[Scope]
    cwd: Path
    transport: Literal["unix", "tcp"]

    def may(self, needed: Scope) -> bool:
        """Whether what is needed is allowed to them."""
        return allows(self.scopes, needed)


def scope_of(operation: Operation[Any, Any]) -> Scope:
    """What one must hold to ask for the operation at all."""
    return Scope.ADMIN if operation.is_administrative else SCOPES[operation.effect]


def scope_for(operation: Operation[Any, Any], request: Request) -> Scope:
    """What one must hold for this request: to have files of the machine read or written is to operate it."""
    least = scope_of(operation)
    if least is not Scope.READ:
        return least
    names_files = any(getattr(request, field) for field in (*operation.reads, *operation.writes))
    return Scope.OPERATE if names_files else least
