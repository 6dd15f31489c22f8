"""What became of the jobs of one run so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from casparian_flow.core.jobs import JobState
from casparian_flow.core.receipts import Receipt


@dataclass(slots=True)
class Totals:
    """Counts of jobs by their end, and of rows that landed. `ended` has the state of each job that is over."""

    completed: int = 0
    failed: int = 0
    rejected: int = 0
    aborted: int = 0
    accepted: int = 0
    quarantined: int = 0
    rescued: int = 0
    ended: dict[int, JobState] = field(default_factory=dict)

    def landed(self, job: int, receipt: Receipt) -> None:
        """A job's rows are visible and recorded."""
        self.completed += 1
        self.ended[job] = JobState.COMPLETED
        self.accepted += receipt.accepted
        self.quarantined += receipt.quarantined
        self.rescued += sum(count.rescued for count in receipt.counts)

    def lost(self, job: int, to: JobState) -> None:
        """A job is over and brought nothing; one that could not be promoted counts as failed until it is."""
        match to:
            case JobState.REJECTED:
                self.rejected += 1
            case JobState.ABORTED:
                self.aborted += 1
            case _:
                self.failed += 1
        self.ended[job] = to
