"""One whole file to tables as a run would land them: the same guest, survey, contracts and validation, but no home."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import CasparianError, InvariantBroken, SinkUnavailable
from casparian_flow.core.lineage import RESCUED, SOURCE_ROW
from casparian_flow.core.outputs import Role, SinkTarget
from casparian_flow.core.receipts import Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.lab.arrow_files import URI, ArrowFiles
from casparian_flow.protocol.bodies import CastJob, Sealed, Surveyed
from casparian_flow.protocol.messages import JobOrder, Limits, OutputSurvey, ParserOrder
from casparian_flow.schema.arrow import arrow_field
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.verdict import ColumnVerdict
from casparian_flow.scout.hashing import Hashed
from casparian_flow.sentinel.first_contact import found_tables
from casparian_flow.sentinel.registered import Registered, declared_contracts, parser_order
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Batch, Began, Ended, Event, Noted, Printed, Raised, RejectedRecord
from casparian_flow.worker.execute import host_fault
from casparian_flow.worker.job_run import JobRun
from casparian_flow.worker.pending import job_folder
from casparian_flow.worker.premises import Premises
from casparian_flow.worker.settle import cast_spilled
from casparian_flow.worker.surroundings import allow_open_files
from casparian_flow.worker.together import land

JOB = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRead:
    """What became of every row of a file. Tables are mapped from files that are gone already.

    `tables` and `rejected` carry `_cf_source_row`; a table whose contract is known is there even without a row.
    `verdicts` are those of each table whose contract was drafted from its rows.
    """

    contracts: Mapping[str, Contract]
    tables: Mapping[str, pa.Table]
    rejected: Mapping[str, pa.Table]
    verdicts: Mapping[str, Sequence[ColumnVerdict]]
    receipt: Receipt
    printed: Sequence[str]


def read_file(
    parser: Registered, path: Path, hashed: Hashed, table: str, options: dict[str, Any], limits: Limits
) -> FileRead:
    """Read the file as it was when it was hashed; `table` is the name that it asks for.

    Memory is bounded by the size of batches, not of the file: rows wait and end in a temporary folder that is gone when
    this returns. Raises what keeps a run from landing the file (ParserFailed and its kinds, SourceChanged,
    SourceUnreadable, InvariantBroken), and SinkUnavailable if the temporary folder cannot be written to.
    """
    order = JobOrder(
        job=JOB,
        attempt=1,
        path=os.fsencode(path),
        size=hashed.stamp.size,
        mtime_ns=hashed.stamp.mtime_ns,
        source_hash=hashed.source_hash,
        file_version=0,
        base_table=table,
        processed_at_ns=0,
    )
    declared = declared_contracts(parser, table)
    allow_open_files()
    try:
        with tempfile.TemporaryDirectory(prefix="casparian-read-", ignore_cleanup_errors=True) as folder:
            return _Reading(parser_order(parser, options), order, declared, Path(folder)).read(limits)
    except CasparianError:
        raise
    except OSError as exc:
        why = exc.strerror or str(exc)
        raise SinkUnavailable(
            "rows cannot be kept while the file is read", where=tempfile.gettempdir(), why=why
        ) from exc
    except Exception as exc:
        raise host_fault(exc) from exc


class _Reading:
    """The life of one job without a sentinel: parsed, surveyed, given its contracts, cast."""

    def __init__(self, parser: ParserOrder, order: JobOrder, declared: Mapping[str, Contract], folder: Path) -> None:
        self._parser = parser
        self._order = order
        self._contracts = dict(declared)
        self._staging = folder / "staging"
        self._files = ArrowFiles(folder)
        self._premises = Premises(parser, self._contracts, self._files, self._staging)
        self._verdicts: dict[str, Sequence[ColumnVerdict]] = {}
        self._printed: list[str] = []
        self._run: JobRun | None = None

    def read(self, limits: Limits) -> FileRead:
        outcome = self._parse(limits)
        tables: list[str] = []
        if isinstance(outcome, Surveyed):
            outcome, tables = self._settle(outcome.jobs[0].outputs)
        receipt = outcome.jobs[0].receipt
        receipt.check_conservation(Routes(default=(SinkTarget(URI),)))
        tables = list(dict.fromkeys([*tables, *(count.table for count in receipt.counts)]))
        contracts = {table: self._contracts[table] for table in tables if table in self._contracts}
        return FileRead(
            contracts=contracts,
            tables={table: self._accepted(contract, receipt) for table, contract in contracts.items()},
            rejected={
                table: rejected
                for table in tables
                if (rejected := self._files.mapped(table, Role.QUARANTINE)) is not None
            },
            verdicts=self._verdicts,
            receipt=receipt,
            printed=self._printed,
        )

    def _parse(self, limits: Limits) -> Sealed | Surveyed:
        with closing(parse(self._parser, [self._order], limits, CancelToken())) as events:
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
                self._run = JobRun(self._premises, self._order)
            case Batch() if self._run:
                self._run.take(event)
            case RejectedRecord() if self._run:
                self._run.reject(event)
            case Noted() if self._run:
                self._run.note(event)
            case Printed():
                self._printed.append(event.text)
            case Ended() if self._run:
                run, self._run = self._run, None
                run.end(event)
                return land(self._premises, [run])
            case Raised():
                raise event.error
            case _:
                pass
        return None

    def _settle(self, outputs: Sequence[OutputSurvey]) -> tuple[Sealed, list[str]]:
        """Found the tables of the outputs that wait for one, and cast their rows; those tables in source order."""
        founded = found_tables({JOB: outputs}, self._contracts)
        self._contracts |= {contract.table: contract for contract in founded.contracts}
        by_output = {output.output: founded.tables[JOB, output.output] for output in outputs}
        surveys: dict[str, list[Survey]] = {}
        for output in outputs:
            surveys.setdefault(by_output[output.output], []).append(Survey.from_bytes(output.survey))
        self._verdicts = {table: Survey.merged(found).verdicts() for table, found in surveys.items()}
        folder = job_folder(self._staging, self._order.job, self._order.attempt)
        cast = [CastJob(job=self._order, tables=by_output)]
        sealed = cast_spilled(self._parser, cast, self._contracts, folder, self._files, CancelToken())
        return sealed, list(surveys)

    def _accepted(self, contract: Contract, receipt: Receipt) -> pa.Table:
        """The contract's columns, what was rescued if anything was, and each row's place in the source."""
        rescued = any(count.rescued for count in receipt.counts if count.table == contract.table)
        table = self._files.mapped(contract.table, Role.ACCEPTED)
        if table is None:
            fields = [arrow_field(column.name, column.type) for column in contract.columns]
            return pa.schema([*fields, pa.field(SOURCE_ROW, pa.int64(), nullable=False)]).empty_table()
        return table.select([*contract.names, *([RESCUED] if rescued else []), SOURCE_ROW])
