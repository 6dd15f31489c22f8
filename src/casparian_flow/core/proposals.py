"""What a governed change is, and the steps of its life."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from casparian_flow.core.errors import NotFound


class Kind(StrEnum):
    """What is to be changed."""

    CONTRACT = "contract"
    """The first contract of a table."""
    AMENDMENT = "amendment"
    PARSER = "parser"
    """A parser may run."""
    REPLAY = "replay"
    PURGE = "purge"
    WAIVER = "waiver"
    """Rejected rows are given up."""


LETTERS: dict[Kind, str] = {
    Kind.CONTRACT: "C",
    Kind.AMENDMENT: "A",
    Kind.PARSER: "P",
    Kind.REPLAY: "R",
    Kind.PURGE: "X",
    Kind.WAIVER: "W",
}


class State(StrEnum):
    """Where a proposal stands."""

    DRAFT = "draft"
    """Written down, not proven: it still grows, and cannot be decided."""
    PROPOSED = "proposed"
    """Proven; its digest says for ever what there is to decide."""
    APPROVED = "approved"
    APPLIED = "applied"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    VOID = "void"
    """What it was made for moved, or its evidence outgrew what was proven."""


MOVES: dict[State, frozenset[State]] = {
    State.DRAFT: frozenset({State.PROPOSED, State.WITHDRAWN, State.VOID}),
    State.PROPOSED: frozenset({State.APPROVED, State.CHANGES_REQUESTED, State.REJECTED, State.WITHDRAWN, State.VOID}),
    State.CHANGES_REQUESTED: frozenset({State.PROPOSED, State.WITHDRAWN, State.VOID}),
    State.APPROVED: frozenset({State.APPLIED, State.VOID}),
    State.APPLIED: frozenset(),
    State.REJECTED: frozenset(),
    State.WITHDRAWN: frozenset(),
    State.VOID: frozenset(),
}
LIVING = frozenset(state for state, moves in MOVES.items() if moves)
"""States of which there is one proposal for one cause at most."""
GOVERNED = frozenset({State.APPROVED, State.APPLIED})
"""States that only the function which applies proposals gives."""


class Origin(StrEnum):
    """Who had the idea."""

    SYSTEM = "system"
    """Drafted from drift."""
    PERSON = "person"
    INFERENCE = "inference"
    """Drafted from data because a person asked for it."""
    POLICY = "policy"


class Decision(StrEnum):
    """What somebody said about a proposal."""

    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"
    WITHDRAW = "withdraw"
    POLICY = "policy"
    """Approved by a setting, not by a person; never signed."""


class Risk(StrEnum):
    """What can go wrong, the least first."""

    ADDITIVE = "additive"
    LOSSLESS = "lossless"
    RESTRICTIVE = "restrictive"
    DESTRUCTIVE = "destructive"


APPROVERS: dict[Risk, int] = {Risk.ADDITIVE: 1, Risk.LOSSLESS: 1, Risk.RESTRICTIVE: 2, Risk.DESTRUCTIVE: 2}
"""How many persons have to approve, who proposed it not counted."""
SYSTEM = "casparian"
"""Who proposed what the product drafted by itself."""


def highest(risks: Iterable[Risk]) -> Risk:
    """The risk of a change that has parts of these."""
    order = list(Risk)
    return max(risks, key=order.index, default=Risk.ADDITIVE)


def label(kind: Kind, number: int) -> str:
    """The name of a proposal on a screen, such as `A-8`."""
    return f"{LETTERS[kind]}-{number}"


_LABEL = re.compile(r"(?:([CAPRXW])-)?(\d{1,18})", re.IGNORECASE)


def number_of(named: str) -> tuple[int, Kind | None]:
    """The number in a label, and the kind that its letter stands for, if it has one; raises NotFound for others."""
    found = _LABEL.fullmatch(named.strip()) if named.isascii() else None
    if found is None:
        raise NotFound(f"there is no proposal {named!r}", fix="casparian approval list")
    kind = next((kind for kind, letter in LETTERS.items() if letter == (found[1] or "").upper()), None)
    return int(found[2]), kind
