"""What a replay is, and its stages."""

from __future__ import annotations

from enum import StrEnum


class ReplayKind(StrEnum):
    """Why bytes are read again."""

    AMENDMENT = "amendment"
    PARSER = "parser"
    OPTION = "option"
    REPAIR = "repair"
    MANUAL = "manual"


class ReplayStage(StrEnum):
    """How far it is."""

    CANARY = "canary"
    """The first few files are read; the rest waits for what becomes of them."""
    REST = "rest"
    DONE = "done"
    STOPPED = "stopped"


STAGES: dict[ReplayStage, frozenset[ReplayStage]] = {
    ReplayStage.CANARY: frozenset({ReplayStage.REST, ReplayStage.DONE, ReplayStage.STOPPED}),
    ReplayStage.REST: frozenset({ReplayStage.DONE, ReplayStage.STOPPED}),
    ReplayStage.DONE: frozenset(),
    ReplayStage.STOPPED: frozenset(),
}


class ReplayOutcome(StrEnum):
    """What became of one of its files."""

    DONE = "done"
    FAILED = "failed"
    DIFFERS = "differs"
    """It came out otherwise than the dry run said."""
    SKIPPED = "skipped"
