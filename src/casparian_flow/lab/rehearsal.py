"""One file through a parser as a job would go, into a scratch folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import Modes
from casparian_flow.core.errors import CasparianError, InvariantBroken, SinkUnavailable
from casparian_flow.core.jobs import LogLine
from casparian_flow.core.outputs import Role, SinkTarget
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.repairs import Repair
from casparian_flow.core.routes import Routes
from casparian_flow.lab.arrow_files import URI, ArrowFiles, KeysOf, nowhere
from casparian_flow.protocol.bodies import CastJob, Sealed, Surveyed
from casparian_flow.protocol.messages import Carries, JobOrder, Limits, OutputSurvey, ParserOrder
from casparian_flow.schema.pseudonyms import KEY_BYTES
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.verdict import ColumnVerdict
from casparian_flow.sentinel.commit.first_contact import found_tables
from casparian_flow.sentinel.commit.in_force import InForce
from casparian_flow.sinks.base import Sink
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import Cancelled, CancelToken
from casparian_flow.worker.carrying import Carried, carried
from casparian_flow.worker.carrying_run import run_of
from casparian_flow.worker.events import Batch, Began, Ended, Event, Noted, Printed, Raised, RejectedRecord
from casparian_flow.worker.faults import host_fault
from casparian_flow.worker.job_run import JobRun
from casparian_flow.worker.pending import job_folder
from casparian_flow.worker.premises import Premises
from casparian_flow.worker.settle import cast_spilled
from casparian_flow.worker.surroundings import allow_open_files
from casparian_flow.worker.together import land
from casparian_flow.worker.treating import closed_error, closed_line
from casparian_flow.worker.zygotes import Zygotes

JOB = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """Bytes that are where they were when they were hashed, and the table that their file asks for."""

    path: bytes
    size: int
    mtime_ns: int
    source_hash: str
    base_table: str
    version: int = 0
    """Their file version in a home; 0 outside of any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a job would have come to. Its rows are mapped from files that are gone already, so they take no memory.

    `contracts` are those of each table that it has rows for or founded; `accepted` and `rejected` have the rows by
    table, in the order in which a sink would get them, with `_cf_source_row` and without other lineage; a table
    without such rows is not there. `verdicts` are those of each table whose contract was drafted from its rows.
    """

    contracts: Mapping[str, Contract]
    accepted: Mapping[str, pa.Table]
    rejected: Mapping[str, pa.Table]
    verdicts: Mapping[str, Sequence[ColumnVerdict]]
    receipt: Receipt
    printed: Sequence[str]

    @property
    def digests(self) -> dict[str, str]:
        """The digest of the accepted rows, by table: that of a job which reads the same in the same way."""
        return {each.table: each.row_digest for each in self.receipt.outputs if each.role is Role.ACCEPTED}


def rehearse(
    parser: ParserOrder,
    version: Retained,
    contracts: Mapping[str, Contract],
    modes: Modes,
    repairs: Sequence[Repair],
    scratch: Path,
    *,
    limits: Limits | None = None,
    zygotes: Zygotes | None = None,
    pseudonym_key: bytes = b"",
    keys_of: KeysOf | None = None,
    supersedes: Sequence[int] = (),
    cancel: CancelToken | None = None,
    carries: Carries | None = None,
    committed: Callable[[str], Sink | None] = nowhere,
) -> Rehearsed:
    """Read a file as the worker would under these contracts; tables that have none are founded by this file alone.

    `pseudonym_key` is that of the home, which a job would be given; without one, pseudonyms are of this reading alone.
    `keys_of` says what rows are compared with that were committed; without it nothing was. `supersedes` are the jobs
    whose rows this reading takes the place of.

    With `carries`, rows of an older job are taken over where they can be, as a job would; `committed` tells the sink in
    which those of a table are.

    Nothing is promoted and nothing stays in `scratch`, which must exist. Memory is bounded by the size of batches, not
    of the file. Raises what keeps a job from landing (ParserFailed and its kinds, SourceChanged, SourceUnreadable,
    InvariantBroken), SinkUnavailable if `scratch` cannot be written to, and Cancelled once `cancel` is.
    """
    order = JobOrder(
        job=JOB,
        attempt=1,
        path=version.path,
        size=version.size,
        mtime_ns=version.mtime_ns,
        source_hash=version.source_hash,
        file_version=version.version,
        base_table=version.base_table,
        processed_at_ns=0,
        repairs=list(repairs),
        supersedes=list(supersedes),
        carries=carries,
    )
    allow_open_files()
    try:
        with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=scratch, ignore_cleanup_errors=True) as folder:
            key = pseudonym_key or os.urandom(KEY_BYTES)
            files = ArrowFiles(Path(folder), keys_of, committed)
            return _Rehearsal(parser, order, contracts, modes, key, files).run(
                limits or Limits(), zygotes, cancel or CancelToken()
            )
    except (CasparianError, Cancelled):
        raise
    except OSError as exc:
        why = exc.strerror or str(exc)
        raise SinkUnavailable("rows cannot be kept while the file is read", where=str(scratch), why=why) from exc
    except Exception as exc:
        raise host_fault(exc) from exc


class _Rehearsal:
    """The life of one job without a sentinel: parsed, surveyed, given its contracts, cast."""

    def __init__(
        self,
        parser: ParserOrder,
        order: JobOrder,
        contracts: Mapping[str, Contract],
        modes: Modes,
        key: bytes,
        files: ArrowFiles,
    ) -> None:
        self._parser = parser
        self._order = order
        self._contracts = dict(contracts)
        self._staging = files.folder / "staging"
        self._files = files
        self._premises = Premises(parser, self._contracts, self._files, self._staging, modes, key)
        self._verdicts: dict[str, Sequence[ColumnVerdict]] = {}
        self._printed: list[str] = []
        self._run: JobRun | None = None
        self._carried: Carried | None = None

    def run(self, limits: Limits, zygotes: Zygotes | None, cancel: CancelToken) -> Rehearsed:
        outcome = self._parse(limits, zygotes, cancel)
        tables: list[str] = []
        if isinstance(outcome, Surveyed):
            outcome, tables = self._settle(outcome.jobs[0].outputs, cancel)
        receipt = outcome.jobs[0].receipt
        receipt.check_conservation(Routes(default=(SinkTarget(URI),)))
        tables = list(dict.fromkeys([*tables, *(count.table for count in receipt.counts)]))
        return Rehearsed(
            contracts={table: self._contracts[table] for table in tables if table in self._contracts},
            accepted=self._mapped(tables, Role.ACCEPTED),
            rejected=self._mapped(tables, Role.QUARANTINE),
            verdicts=self._verdicts,
            receipt=receipt,
            printed=self._printed,
        )

    def _parse(self, limits: Limits, zygotes: Zygotes | None, cancel: CancelToken) -> Sealed | Surveyed:
        self._carried = carried(self._order, self._premises)
        over = {} if self._carried is None else {JOB: self._carried}
        with closing(parse(self._parser, [self._order], limits, cancel, zygotes=zygotes, carried=over)) as events:
            try:
                for event in events:
                    if (outcome := self._handle(event)) is not None:
                        return outcome
            except BaseException:
                if self._run is not None:
                    self._run.discard()
                raise
        raise InvariantBroken("the parser's process ended without a word", why=self._parser.label)

    def _handle(self, event: Event) -> Sealed | Surveyed | None:
        """Take one event in; the outcome, when it was the last."""
        match event:
            case Began():
                self._run = run_of(self._premises, self._order, self._carried)
            case Batch() if self._run:
                self._run.take(event)
            case RejectedRecord() if self._run:
                self._run.reject(event)
            case Noted() if self._run:
                self._run.note(event)
            case Printed():
                line = LogLine(event.stream, event.text)
                self._printed.append((closed_line(self._parser, line) if self._premises.is_closed else line).text)
            case Ended() if self._run:
                run, self._run = self._run, None
                run.end(event)
                return land(self._premises, [run])
            case Raised():
                is_closed = self._premises.is_closed
                raise closed_error(self._parser, event.error) if is_closed else event.error
            case _:
                pass
        return None

    def _settle(self, outputs: Sequence[OutputSurvey], cancel: CancelToken) -> tuple[Sealed, list[str]]:
        """Found the tables of the outputs that wait for one, and cast their rows; those tables in source order."""
        founded = found_tables({JOB: outputs}, InForce(self._contracts.values()))
        self._contracts |= {contract.table: contract for contract in founded.contracts}
        by_output = {output.output: founded.tables[JOB, output.output] for output in outputs}
        surveys: dict[str, list[Survey]] = {}
        for output in outputs:
            surveys.setdefault(by_output[output.output], []).append(Survey.from_bytes(output.survey))
        self._verdicts = {table: Survey.merged(found).verdicts() for table, found in surveys.items()}
        folder = job_folder(self._staging, self._order.job, self._order.attempt)
        cast = [CastJob(job=self._order, tables=by_output)]
        sealed = cast_spilled(
            self._parser,
            cast,
            self._contracts,
            self._premises.modes,
            folder,
            self._files,
            cancel,
            pseudonym_key=self._premises.pseudonym_key,
        )
        return sealed, list(surveys)

    def _mapped(self, tables: Sequence[str], role: Role) -> dict[str, pa.Table]:
        mapped = {table: self._files.mapped(table, role) for table in tables}
        return {table: rows for table, rows in mapped.items() if rows is not None}
