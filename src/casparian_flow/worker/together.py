"""Jobs that ended and are sealed together: when their group is closed, and how their rows become one landing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from casparian_flow.core.errors import SinkError
from casparian_flow.protocol.bodies import Sealed, Surveyed
from casparian_flow.schema.arrow import is_spoken
from casparian_flow.worker.gathered import Gathered, gather
from casparian_flow.worker.job_run import JobRun
from casparian_flow.worker.landing import Landing
from casparian_flow.worker.premises import Premises
from casparian_flow.worker.seal import check_size
from casparian_flow.worker.tables import Place

MOST_JOBS = 120
MOST_BYTES = 8 << 20
PAUSE_SECONDS = 0.25
"""How long after its last job ended a group is closed if no other ends, unless the host is busy."""
MOST_SECONDS = 1.0
"""How long after its first job ended a group is closed at the latest, unless the host is busy."""


class OpenGroup:
    """Jobs of one order that ended and are small."""

    def __init__(self) -> None:
        self._runs: list[JobRun] = []
        self._bytes = 0
        self._since = 0.0
        self._latest = 0.0

    def add(self, run: JobRun, now: float) -> None:
        """One more job that has ended."""
        if not self._runs:
            self._since = now
        self._latest = now
        self._runs.append(run)
        self._bytes += run.bytes

    def is_due(self, now: float) -> bool:
        """Whether it is to be closed: it is large enough, or no job follows, or its first one has waited enough."""
        if not self._runs:
            return False
        is_full = len(self._runs) >= MOST_JOBS or self._bytes >= MOST_BYTES
        return is_full or now - self._latest >= PAUSE_SECONDS or now - self._since >= MOST_SECONDS

    def take(self) -> list[JobRun]:
        """All of its jobs; it is empty afterwards."""
        runs, self._runs, self._bytes = self._runs, [], 0
        return runs


def land(premises: Premises, runs: Sequence[JobRun]) -> Sealed | Surveyed:
    """Seal jobs that ended, or leave them surveyed; the first one leads. After an error nothing of them remains.

    Either all of them wait for a contract or none does. One whose rows have landed already comes alone.
    """
    landing = runs[0].landing or Landing(premises, [run.order for run in runs])
    try:
        for rows in _alike(runs):
            landing.take(rows.output, rows.place, gather(rows.parts), whole=rows.is_whole)
        for member, run in enumerate(runs):
            run.land_rejections(landing, member)
        outcome = landing.finish([run.ending for run in runs])
        check_size(outcome)
    except BaseException as exc:
        try:
            landing.discard()
        except SinkError as left:  # files that nobody will name; what led here is what is reported
            exc.add_note(f"what was staged could not be removed: {left.message} ({left.why})")
        raise
    return outcome


@dataclass(slots=True)
class _Alike:
    """Rows of one output, for one place, that can be one batch. `is_whole`: their jobs bring nothing else there."""

    output: str
    place: Place
    parts: list[Gathered]
    is_whole: bool = False

    def takes(self, other: _Alike) -> bool:
        """Whether rows can be added: what has to be brought into our types first is judged batch by batch."""
        return (
            self.output == other.output
            and self.place is other.place
            and self.parts[0].goes_with(other.parts[0])
            and is_spoken(self.parts[0].batch.schema)
        )


def _alike(runs: Sequence[JobRun]) -> list[_Alike]:
    """All rows: those of different jobs together where they are alike, those of one job and table always in order."""
    found: dict[tuple[str, str], list[_Alike]] = {}
    alone: list[_Alike] = []
    for member, run in enumerate(runs):
        for of_table in _by_table(run, member):
            if len(of_table) > 1:
                alone += of_table
                continue
            mine = of_table[0]
            known = found.setdefault((mine.output, mine.place.table), [])
            fitting = next((each for each in known if each.takes(mine)), None)
            if fitting is None:
                known.append(replace(mine, is_whole=True))
            else:
                fitting.parts += mine.parts
    return [*(each for known in found.values() for each in known), *alone]


def _by_table(run: JobRun, member: int) -> Iterable[list[_Alike]]:
    """The rows of one job for each of its tables, in the order in which they came."""
    found: dict[str, list[_Alike]] = {}
    for piece in run.pieces:
        rows = _Alike(piece.output, piece.place, [piece.of_member(member)])
        of_table = found.setdefault(piece.place.table, [])
        if of_table and of_table[-1].takes(rows):
            of_table[-1].parts += rows.parts
        else:
            of_table.append(rows)
    return found.values()
