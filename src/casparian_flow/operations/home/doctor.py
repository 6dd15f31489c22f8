"""Doctor: everything that can be wrong with a home and the machine around it, each with what to do."""

from __future__ import annotations

from enum import StrEnum

from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class Health(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Examine(Request, frozen=True, kw_only=True):
    """Every check."""


class Mend(Request, frozen=True, kw_only=True):
    """What can be put right without losing anything."""


class Recover(Request, frozen=True, kw_only=True):
    """What a process that was stopped left behind."""


class Mended(Reply, frozen=True, kw_only=True):
    """One thing that was put right."""

    check: str
    done: str


class Mending(Reply, frozen=True, kw_only=True):
    """Everything that was put right."""

    mended: list[Mended]


class Check(Reply, frozen=True, kw_only=True):
    """One check; `fix` is empty when nothing needs to be done."""

    check: str
    health: Health
    found: str
    fix: str


class Diagnosis(Reply, frozen=True, kw_only=True):
    """All checks; `health` is the worst of them."""

    health: Health
    checks: list[Check]


OPERATIONS = (
    Operation(
        "doctor.fix", Mend, Mending, Effect.EXECUTE, "home.doctor.mend", "Put right what is safe.", is_local=True
    ),
    Operation(
        "doctor.recover", Recover, Mending, Effect.EXECUTE, "home.doctor.recover", "Put right what a crash left."
    ),
    Operation(
        "doctor",
        Examine,
        Diagnosis,
        Effect.READ,
        "home.doctor.examine",
        "Check the home and the machine.",
        is_local=True,
    ),
)
