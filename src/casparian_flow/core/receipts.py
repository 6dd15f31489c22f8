"""The receipt: the evidence that one attempt leaves about what it read and what became of every row."""

from __future__ import annotations

from dataclasses import dataclass

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import SealedOutput
from casparian_flow.core.quarantine import QuarantineGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCounts:
    """Conservation per table: emitted = accepted + quarantined. `rescued` counts values, not rows."""

    table: str
    emitted: int
    accepted: int
    quarantined: int
    rescued: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftNote:
    """One way in which a file differs from its table's contract."""

    table: str
    axis: str
    column: str
    detail: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictNote:
    """What the parser detected about the file."""

    name: str
    value: str
    confidence: float
    runner_up: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a sealed attempt read and wrote. `isolation` is the level that held while the parser ran."""

    counts: tuple[OutputCounts, ...]
    outputs: tuple[SealedOutput, ...]
    groups: tuple[QuarantineGroup, ...] = ()
    drift: tuple[DriftNote, ...] = ()
    verdicts: tuple[VerdictNote, ...] = ()
    isolation: str
    seconds: float
    bytes_read: int
    host: str = ""
    user: str = ""
    version: str = ""

    @property
    def accepted(self) -> int:
        """Rows in all tables."""
        return sum(count.accepted for count in self.counts)

    @property
    def quarantined(self) -> int:
        """Rows in quarantine, of all tables."""
        return sum(count.quarantined for count in self.counts)

    def check_conservation(self) -> None:
        """Raises InvariantBroken unless every emitted row was accepted or quarantined, and sealed as such."""
        sealed: dict[tuple[str, str], int] = {}
        for output in self.outputs:
            key = (output.table, output.role)
            sealed[key] = sealed.get(key, 0) + output.rows
        for count in self.counts:
            found = (sealed.get((count.table, "accepted"), 0), sealed.get((count.table, "quarantine"), 0))
            if count.emitted != count.accepted + count.quarantined or found != (count.accepted, count.quarantined):
                raise InvariantBroken(
                    f"rows of {count.table} do not add up",
                    why=f"emitted {count.emitted}, accepted {count.accepted}, quarantined {count.quarantined}, "
                    f"sealed {found[0]} and {found[1]}",
                )
