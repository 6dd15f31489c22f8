"""One file through one parser: what its rows, types and rejections would be, nothing kept."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from casparian_flow.core.contracts import Contract
from casparian_flow.core.drift import BUILT_IN, Modes
from casparian_flow.core.errors import CasparianError, SourceUnreadable
from casparian_flow.core.hashing import digest_of
from casparian_flow.core.jobs import LogLine
from casparian_flow.core.quarantine import Code
from casparian_flow.core.receipts import VerdictNote
from casparian_flow.protocol.messages import JobOrder, Limits, OutputSurvey, ParserOrder
from casparian_flow.schema.closed_verdicts import closed_verdict
from casparian_flow.schema.draft import draft_contract
from casparian_flow.schema.pseudonyms import KEY_BYTES
from casparian_flow.schema.rejections import reject_all, rejections_of_records
from casparian_flow.schema.survey import Survey
from casparian_flow.schema.treat import accepted_schema
from casparian_flow.schema.validate import Validator
from casparian_flow.sdk import Span
from casparian_flow.sdk.emit import Rejected, Rows
from casparian_flow.sdk.testing import Collected
from casparian_flow.sentinel.commit.first_contact import classed_as, found_tables
from casparian_flow.sentinel.commit.in_force import InForce
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.carrying import Carried
from casparian_flow.worker.events import Batch, Noted, Printed, Raised, RejectedRecord
from casparian_flow.worker.tables import Place, Places, base_table, is_headerless, under_contract
from casparian_flow.worker.treating import closed_error, closed_line, is_closed, is_ours, treatments_in

JOB = 1
ROWS_KEPT = 100_000


@dataclass(slots=True)
class Trial:
    """What one file gave. `is_cut` says that reading stopped before its end."""

    outputs: dict[str, TrialOutput] = field(default_factory=dict)
    verdicts: list[VerdictNote] = field(default_factory=list)
    printed: list[Printed] = field(default_factory=list)
    error: CasparianError | None = None
    is_cut: bool = False


@dataclass(slots=True)
class TrialOutput:
    """One output: the contract that its rows would get, and the rows under it."""

    name: str
    order: JobOrder
    table: str
    """What it asks for; `settle` says where it lands."""
    contract: Contract | None = None
    survey: Survey = field(default_factory=Survey.empty)
    rows: int = 0
    headerless: bool = False
    records: list[Rejected] = field(default_factory=list)
    batches: list[tuple[pa.RecordBatch, pa.Array, pa.Array | None, pa.Array | None]] = field(default_factory=list)

    def settle(
        self,
        parser: ParserOrder,
        contracts: Mapping[str, Contract],
        modes: Modes = BUILT_IN,
        given: Contract | None = None,
    ) -> tuple[pa.Table, pa.Table]:
        """Accepted rows and rejections, under the one of the contracts that they fit, else under a drafted one.

        `given` is used in place of either, but a column that one of the contracts closes stays closed. Values of closed
        columns are treated; pseudonyms are of this trial alone. Rules about a row among others are not asked. Raises
        ContractFrozen where the modes say so.
        """
        place = self._place(parser, contracts)
        if given is not None:
            self.contract = classed_as(given, contracts.values())
        else:
            self.contract = place.contract or classed_as(self._founded(parser, contracts), contracts.values())
        treatments = treatments_in(
            self.contract.table, {**contracts, self.contract.table: self.contract}, os.urandom(KEY_BYTES), parser
        )
        accepted: list[pa.RecordBatch] = []
        rejected = [rejections_of_records(self.records)]
        validator = Validator(self.contract, modes)
        for batch, source_row, start, end in self.batches:
            if not place.is_declared and given is None:
                said = f"the parser does not declare an output {self.name!r}"
                rejected.append(reject_all(batch, Code.OUTPUT_UNDECLARED, said, start=start, end=end))
                continue
            found = validator.validate(under_contract(batch, self.contract), source_row, start, end)
            accepted.append(found.accepted)
            rejected.append(found.rejected)
        if treatments is not None:
            accepted, rejected = [*map(treatments.rows, accepted)], [*map(treatments.rejections, rejected)]
        return pa.Table.from_batches(accepted, schema=accepted_schema(self.contract)), pa.Table.from_batches(rejected)

    def _place(self, parser: ParserOrder, contracts: Mapping[str, Contract]) -> Place:
        places = Places(parser, contracts)
        if not self.batches:
            return places.of_nothing(self.order, self.name)
        return places.of(self.order, self.name, self.batches[0][0])

    def _founded(self, parser: ParserOrder, contracts: Mapping[str, Contract]) -> Contract:
        """The contract of a table that this file alone would found."""
        if not self.batches:
            return draft_contract(self.table, self.survey, headerless=self.headerless)
        output = OutputSurvey(
            output=self.name,
            base_table=self.table,
            is_named=parser.tables != "file",
            columns=list(self.survey.names),
            headerless=self.headerless,
            rows=self.rows,
            survey=self.survey.to_bytes(),
        )
        founded = found_tables({JOB: [output]}, InForce(contracts.values()))
        table = founded.tables[JOB, self.name]
        return next((each for each in founded.contracts if each.table == table), None) or contracts[table]


def try_parser(
    parser: ParserOrder,
    path: bytes,
    table: str,
    *,
    limits: Limits | None = None,
    rows: int | None = None,
    source: str = "",
    spans: Sequence[Span] | None = None,
    verdicts: Sequence[VerdictNote] = (),
) -> Trial:
    """Read a file with a parser in a guest; with `rows`, only until so many rows came.

    With `spans`, only these records of it are read; `verdicts` are then those of the whole file.

    `table` is the name that the file would give to a table. `source` is said of values that rule
    out a type. Types are inferred over every row that was read. At most
    100,000 rows per output are kept for showing. Raises SourceUnreadable; what goes wrong in the parser is in the
    trial.
    """
    try:
        stat = Path(os.fsdecode(path)).stat()
    except OSError as exc:
        raise SourceUnreadable("the file cannot be read", why=exc.strerror or str(exc)) from exc
    order = JobOrder(
        job=JOB,
        attempt=1,
        path=path,
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        source_hash=digest_of(b""),
        file_version=0,
        base_table=table,
        processed_at_ns=0,
    )
    trial = Trial()
    chosen = {} if spans is None else {JOB: Carried(0, {}, tuple(spans), verdicts)}
    with closing(parse(parser, [order], limits or Limits(), CancelToken(), carried=chosen)) as events:
        for event in events:
            match event:
                case Batch():
                    _take(trial, parser, order, event, source)
                case RejectedRecord():
                    _reject(trial, parser, order, event)
                case Noted():
                    trial.verdicts += event.verdicts
                case Printed():
                    trial.printed.append(event)
                case Raised():
                    trial.error = event.error
                case _:
                    pass
            if rows is not None and sum(output.rows for output in trial.outputs.values()) >= rows:
                trial.is_cut = True
                break
    return trial


def closed_trial(parser: ParserOrder, contracts: Mapping[str, Contract], trial: Trial) -> Trial:
    """The trial, without what its parser says if that may repeat values of a closed column of these contracts."""
    if not is_closed(parser, contracts):
        return trial
    lines = [(each, closed_line(parser, LogLine(each.stream, each.text))) for each in trial.printed]
    return replace(
        trial,
        verdicts=[closed_verdict(each, is_ours=is_ours(parser)) for each in trial.verdicts],
        printed=[Printed(each.job, line.stream, line.text) for each, line in lines],
        error=None if trial.error is None else closed_error(parser, trial.error),
    )


def collected_of(trial: Trial) -> Collected:
    """The rows and rejections as the sdk's `collect` gives them; at most the 100,000 of each output that were kept."""
    return Collected(
        {
            name: [Rows(name, pa.Table.from_batches([batch]), *places) for batch, *places in output.batches]
            for name, output in trial.outputs.items()
        },
        [each for output in trial.outputs.values() for each in output.records],
    )


def _output(trial: Trial, parser: ParserOrder, order: JobOrder, name: str) -> TrialOutput:
    if name not in trial.outputs:
        trial.outputs[name] = TrialOutput(name, order, base_table(parser, order, name))
    return trial.outputs[name]


def _take(trial: Trial, parser: ParserOrder, order: JobOrder, event: Batch, source: str) -> None:
    output = _output(trial, parser, order, event.output)
    batch = event.batch
    source_row = event.source_row
    if source_row is None:
        source_row = pa.array(range(output.rows + 1, output.rows + 1 + batch.num_rows), pa.int64())
    output.headerless = is_headerless(batch)
    output.survey.add(batch, source_row, source)
    if output.rows < ROWS_KEPT:
        output.batches.append((batch, source_row, event.start, event.end))
    output.rows += batch.num_rows


def _reject(trial: Trial, parser: ParserOrder, order: JobOrder, event: RejectedRecord) -> None:
    output = _output(trial, parser, order, event.output)
    output.rows += 1
    if len(output.records) < ROWS_KEPT:
        output.records.append(
            Rejected(
                output=event.output,
                code=event.code,
                message=event.message,
                start=event.start,
                end=event.end,
                locator=event.locator,
                raw=event.raw,
                source_row=event.source_row,
            )
        )
