"""A group on its way: rows go to the channels of their tables or wait for a contract; then it is sealed or surveyed."""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from casparian_flow.core.errors import InvariantBroken
from casparian_flow.core.receipts import Receipt, VerdictNote
from casparian_flow.protocol.bodies import JobReceipt, JobSurvey, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder, OutputSurvey
from casparian_flow.worker.carrying import Carried
from casparian_flow.worker.channels import Channels
from casparian_flow.worker.gathered import Gathered
from casparian_flow.worker.pending import Pending, job_folder, write_pending
from casparian_flow.worker.premises import Premises
from casparian_flow.worker.seal import receipt_of, seal_channels
from casparian_flow.worker.tables import Place, is_headerless, under_contract
from casparian_flow.worker.waiting import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What a member came to when its guest had read the file: rows emitted, and the places of its outputs in order."""

    emitted: int
    places: dict[str, Place]
    verdicts: tuple[VerdictNote, ...]
    isolation: str
    seconds: float


class Landing:
    """Jobs that are sealed together; what it writes belongs to the first of them, the leader."""

    def __init__(self, premises: Premises, jobs: Sequence[JobOrder], carried: Carried | None = None) -> None:
        """`carried` is what a job that lands alone takes over."""
        self._carried = carried
        self._premises = premises
        self._jobs = jobs
        self._folder = job_folder(premises.scratch, jobs[0].job, jobs[0].attempt)
        self._channels = Channels(
            premises.parser,
            jobs,
            premises.contracts,
            premises.modes,
            premises.targets,
            premises.scratch,
            premises.pseudonym_key,
            {} if carried is None else carried.tables,
        )
        self._waiting: dict[Hashable, Waiting] = {}
        self._waits_at: dict[tuple[int, str], Waiting] = {}

    def take(self, output: str, place: Place, rows: Gathered, *, whole: bool = False) -> None:
        """Take rows of one output in; `whole` says that these are all that their members have for it."""
        if not place.is_declared:
            self._channels.of(place.table).refuse(rows, output)
        elif place.contract is not None:
            batch = under_contract(rows.batch, place.contract)
            self._channels.of(place.table).accept(rows.with_batch(batch))
        else:
            self._wait(output, place, rows, whole=whole).take(rows, self._jobs)

    def reject(self, output: str, place: Place, rejected: Gathered) -> None:
        """Take in records that the parser could not read, all of one member."""
        member = rejected.runs[0].member
        if (waiting := self._waits_at.get((member, output))) is None and place.is_declared and place.contract is None:
            waiting = self._asks_for(member, place.table)
        if waiting is not None:
            waiting.reject(rejected)
        else:
            self._channels.of(place.table).reject_records(rejected)

    def finish(self, endings: Sequence[Ending]) -> Sealed | Surveyed:
        """Seal what has its contract; if an output still waits for one, leave everything ready for it.

        Raises InvariantBroken unless every row that a parser emitted is sealed or waits.
        """
        orders = [list(dict.fromkeys(place.table for place in ending.places.values())) for ending in endings]
        sealed = seal_channels(self._channels, orders)
        receipts = [
            receipt_of(its, ending.verdicts, ending.isolation, ending.seconds, job.size, self._carried)
            for job, ending, its in zip(self._jobs, endings, sealed, strict=True)
        ]
        spilled = [each for waiting in self._waiting.values() for each in waiting.spilled()]
        waiting_rows = dict.fromkeys(range(len(self._jobs)), 0)
        for each in spilled:
            for member, rows in each.runs:
                waiting_rows[member] += rows
        for member, (ending, receipt) in enumerate(zip(endings, receipts, strict=True)):
            _check_none_is_lost(ending, receipt, waiting_rows[member])
        if not self._waiting:
            shutil.rmtree(self._folder, ignore_errors=True)
            return Sealed(
                jobs=[
                    JobReceipt(job=job.job, attempt=job.attempt, receipt=receipt)
                    for job, receipt in zip(self._jobs, receipts, strict=True)
                ]
            )
        write_pending(self._folder, Pending(receipts=receipts, spilled=spilled))
        return Surveyed(jobs=self._surveys(endings, receipts))

    def discard(self) -> None:
        """Leave nothing behind; raises SinkError if a sink did not let its part go."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            for waiting in self._waiting.values():
                stack.callback(waiting.close)
            stack.callback(self._channels.discard)

    def _wait(self, output: str, place: Place, rows: Gathered, *, whole: bool) -> Waiting:
        member = rows.runs[0].member
        if (known := self._waits_at.get((member, output))) is not None:
            return known
        key: Hashable = (output, member)
        if whole:  # all who ask for the same table with the same columns are surveyed as one
            key = (output, place.table, is_headerless(rows.batch), tuple(rows.batch.schema.names))
        if key not in self._waiting:
            is_named = self._premises.parser.tables != "file"
            path = self._folder / str(len(self._waiting))
            self._waiting[key] = Waiting(output, place.table, path, is_named=is_named)
        for each in rows.members:
            self._waits_at[each, output] = self._waiting[key]
        return self._waiting[key]

    def _asks_for(self, member: int, table: str) -> Waiting | None:
        """Where rows wait for the same table: what they may still bring there is one with what comes now."""
        return next(
            (each for (its, _), each in self._waits_at.items() if its == member and each.base_table == table), None
        )

    def _surveys(self, endings: Sequence[Ending], receipts: Sequence[Receipt]) -> list[JobSurvey]:
        found: list[dict[str, OutputSurvey]] = [{} for _ in self._jobs]
        for waiting in self._waiting.values():
            for member, survey in waiting.surveys().items():
                found[member][survey.output] = survey
        return [
            JobSurvey(
                job=job.job,
                attempt=job.attempt,
                outputs=[surveys[output] for output in ending.places if output in surveys],
                sealed=list(receipt.outputs),
            )
            for job, ending, surveys, receipt in zip(self._jobs, endings, found, receipts, strict=True)
        ]


def _check_none_is_lost(ending: Ending, receipt: Receipt, waiting: int) -> None:
    kept = sum(count.emitted for count in receipt.counts) + waiting
    if ending.emitted != kept:
        why = f"{kept} of {ending.emitted} arrived"
        raise InvariantBroken("rows were lost between the parser and the sink", why=why)
