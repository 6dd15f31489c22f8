"""The receipt: the evidence that one attempt leaves about what it read and what became of every row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.outputs import Role, SealedOutput
from casparian_flow.core.quarantine import QuarantineGroup
from casparian_flow.core.routes import Routes


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
    """What a sealed attempt read and wrote. `isolation` is the level that held while the parser ran.

    `counts` has each table once, however many sinks its rows went to; `outputs` has them for every sink.
    """

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

    def check_conservation(self, routes: Routes) -> None:
        """Raises InvariantBroken unless every emitted row was accepted or quarantined, and sealed so in every sink."""
        sealed: Counter[tuple[str, str, Role]] = Counter()
        for output in self.outputs:
            sealed[output.sink, output.table, output.role] += output.rows
        expected: Counter[tuple[str, str, Role]] = Counter()
        for count in self.counts:
            if count.emitted != count.accepted + count.quarantined:
                raise InvariantBroken(
                    f"rows of {count.table} do not add up",
                    why=f"emitted {count.emitted}, accepted {count.accepted}, quarantined {count.quarantined}",
                )
            for target in routes.targets_of(count.table):
                expected[target.uri, count.table, Role.ACCEPTED] = count.accepted
                expected[target.uri, count.table, Role.QUARANTINE] = count.quarantined
        for place in sorted(sealed.keys() | expected.keys()):
            if sealed[place] != expected[place]:
                sink, table, role = place
                raise InvariantBroken(
                    f"rows of {table} do not add up",
                    where=sink,
                    why=f"{expected[place]} were to be sealed as {role}, {sealed[place]} were",
                )
