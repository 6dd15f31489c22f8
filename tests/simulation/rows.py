"""What the pretended parsers of a world find: the same rows of a job each time, in files that a group shares."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from casparian_flow.core.hashing import digest_of
from casparian_flow.core.outputs import Role, SealedFile, SealedOutput
from casparian_flow.core.receipts import OutputCounts, Receipt
from casparian_flow.core.routes import Routes
from casparian_flow.protocol.bodies import JobReceipt, JobSurvey, Sealed, Surveyed
from casparian_flow.protocol.messages import OutputSurvey
from casparian_flow.schema.survey import Survey
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.layout import data_file
from casparian_flow.worker.held import Key

ROWS = 3
_COLUMNS = pa.record_batch({"n": pa.array([1, 2, 3], pa.int64())})
_SURVEY = Survey.of(_COLUMNS, pa.array([1, 2, 3], pa.int64())).to_bytes()


def sealed(keys: Sequence[Key], receipts: Sequence[Receipt]) -> Sealed:
    """What a worker says of a group that it sealed."""
    found = zip(keys, receipts, strict=True)
    return Sealed(jobs=[JobReceipt(job=job, attempt=attempt, receipt=each) for (job, attempt), each in found])


def surveyed(keys: Sequence[Key], outputs: Sequence[list[OutputSurvey]]) -> Surveyed:
    """What a worker says of a group that waits for contracts."""
    found = zip(keys, outputs, strict=True)
    return Surveyed(
        jobs=[JobSurvey(job=job, attempt=attempt, outputs=each, sealed=[]) for (job, attempt), each in found]
    )


def a_receipt(key: Key, leader: Key, table: str, routes: Routes, *, is_rejected: bool = False) -> Receipt:
    """What an attempt sealed in the files of its leader: its rows, all of them accepted or all of them rejected."""
    digest = digest_of(str(key[0]).encode())
    name = "v1/" + data_file(table, Attempt(job=leader[0], attempt=leader[1]), 0, ".parquet")
    role = Role.QUARANTINE if is_rejected else Role.ACCEPTED
    accepted = 0 if is_rejected else ROWS
    return Receipt(
        counts=(OutputCounts(table=table, emitted=ROWS, accepted=accepted, quarantined=ROWS - accepted),),
        outputs=tuple(
            SealedOutput(
                sink=target.uri,
                table=table,
                role=role,
                contract_version=1,
                schema_hash=digest,
                rows=ROWS,
                row_digest=digest,
                files=(SealedFile(name=name, rows=ROWS, size=100, digest=digest_of(name.encode())),),
            )
            for target in routes.targets_of(table)
        ),
        isolation="process",
        seconds=0.1,
        bytes_read=10,
    )


def a_survey(table: str) -> OutputSurvey:
    """What an attempt found in a table that has no contract."""
    return OutputSurvey(
        output="rows", base_table=table, is_named=False, columns=["n"], headerless=False, rows=ROWS, survey=_SURVEY
    )
