"""Shows rejected rows as the contracts in force let them be seen, whenever they were written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from casparian_flow.core.closed_parsers import meets_closed_values
from casparian_flow.core.contracts import Contract
from casparian_flow.core.lineage import JOB_ID
from casparian_flow.publish.discover import SHIPPED_FOLDER
from casparian_flow.schema.cells import as_mask
from casparian_flow.schema.rejections import REJECTION_SCHEMA
from casparian_flow.schema.treat import Treatments
from casparian_flow.sentinel.governance.closing import newly_closed
from casparian_flow.sentinel.planning.loading import load_registered
from casparian_flow.sentinel.queue.dispatch import relevant_contracts
from casparian_flow.store import contracts as contract_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.views.rejecting_jobs import rejecting_jobs


class RejectsInForce:
    """Masks what was closed after rows of one table were rejected; what a file that is gone left is read no more.

    Rows of jobs that nobody knows any more are as closed as the table.
    """

    def __init__(self, connection: Connection, table: str) -> None:
        contracts = contract_store.in_force(connection)
        own = contracts.get(table)
        self._contract = own or Contract(table, 0, ())
        self._is_closed = own is not None and own.is_closed
        jobs = rejecting_jobs(connection, table) if any(each.is_closed for each in contracts.values()) else ()
        sorted_jobs = self._sorted(connection, contracts, jobs)
        self._ours, self._others, self._as_they_are = (pa.array(each, pa.int64()) for each in sorted_jobs)

    @property
    def is_needed(self) -> bool:
        """Whether there may be rows that are not shown as they stand."""
        return len(self._ours) + len(self._others) > 0

    def shown(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The same rows with nothing in them that is closed by now."""
        if not self.is_needed:
            return reader
        return pa.RecordBatchReader.from_batches(reader.schema, map(self.batch, reader))

    def batch(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Some of them."""
        if not self.is_needed or not rows.num_rows:
            return rows
        jobs = rows[JOB_ID]
        ours = as_mask(pc.is_in(jobs, self._ours))
        if self._is_closed:
            others = ~ours & ~as_mask(pc.is_in(jobs, self._as_they_are))
        else:
            others = as_mask(pc.is_in(jobs, self._others))
        rejects = rows.select(REJECTION_SCHEMA.names)
        parts, order = [rejects], np.arange(rows.num_rows)
        for which, is_vouched in ((ours, True), (others, False)):
            if which.any():
                order[which] = sum(part.num_rows for part in parts) + np.arange(np.count_nonzero(which))
                treatments = Treatments(self._contract, b"", is_vouched=is_vouched)
                parts.append(treatments.rejections(rejects.filter(pa.array(which))))
        if len(parts) == 1:
            return rows
        treated = pa.concat_batches(parts).take(pa.array(order))
        arrays = [treated[name] if name in REJECTION_SCHEMA.names else rows[name] for name in rows.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=rows.schema)

    def _sorted(
        self, connection: Connection, contracts: Mapping[str, Contract], jobs: Sequence[AnyRow]
    ) -> tuple[list[int], list[int], list[int]]:
        """The jobs to be masked whose parser we ship, the others to be masked, and those that are shown as they are."""
        bases: dict[int, set[str]] = defaultdict(set)
        for job in jobs:
            bases[job.parser_id].add(job.base_table)
        parsers = {number: load_registered(connection, number) for number in bases}
        closed = {
            number
            for number, parser in parsers.items()
            if self._is_closed
            or meets_closed_values(
                parser.artifact.name,
                parser.manifest.tables,
                parser.manifest.outputs,
                relevant_contracts(parser, bases[number], contracts),
            )
        }
        versions = {job.contract_version for job in jobs}
        knew = {version for version in versions if self._is_closed and self._knew(connection, version)}
        ours, others, as_they_are = list[int](), list[int](), list[int]()
        for job in jobs:
            if job.parser_id not in closed or job.contract_version in knew:
                as_they_are.append(job.job_id)
            elif Path(parsers[job.parser_id].artifact.path).is_relative_to(SHIPPED_FOLDER):
                ours.append(job.job_id)
            else:
                others.append(job.job_id)
        return ours, others, as_they_are

    def _knew(self, connection: Connection, version: int) -> bool:
        """Whether all that is closed now was closed under that contract of the table."""
        before = contract_store.of_version(connection, self._contract.table, version)
        return before is not None and before.is_closed and not newly_closed(before, self._contract)
