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
    """Conservation per table: emitted = accepted + quarantined. `rescued` counts values, not rows.

    `modes` is the digest of the drift modes that held, empty where there was neither drift nor a rejection: then none
    would have changed anything.
    """

    table: str
    emitted: int
    accepted: int
    quarantined: int
    rescued: int = 0
    modes: str = ""


MOST_NOTES = 1000
"""Of one job; what differs beyond is counted together."""
LONGEST_SURVEY = 64 << 10
MOST_NEW_COLUMNS = 1000
"""So many columns of outputs that its parser does not declare are surveyed of one file, and may a draft have."""
LONGEST_OUTPUT_SURVEY = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftNote:
    """One way in which a file differs from its table's contract."""

    table: str
    axis: str
    column: str
    detail: str
    rows: int
    samples: tuple[str, ...] = ()
    """At most three of the values, treated as their class asks."""
    survey: bytes = b""
    """What the values look like: `schema.survey_wire` of that one column; of few columns of a job only.

    Of an output that the parser does not declare: of all its rows and columns, empty where these were too many.
    """
    source_row: int | None = None
    """The first row that shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTable:
    """A table whose keys were asked, as it was after its log entry `seq`."""

    table: str
    seq: int


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

    `counts` has each table once, however many sinks its rows went to; `outputs` has them for every sink. So many of its
    rows were `carried` over from the older job `carries`; `bytes_read` is what was read beside them.
    """

    counts: tuple[OutputCounts, ...]
    outputs: tuple[SealedOutput, ...]
    groups: tuple[QuarantineGroup, ...] = ()
    drift: tuple[DriftNote, ...] = ()
    known: tuple[KnownTable, ...] = ()
    verdicts: tuple[VerdictNote, ...] = ()
    isolation: str
    seconds: float
    bytes_read: int
    host: str = ""
    user: str = ""
    version: str = ""
    carries: int | None = None
    carried: int = 0

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
