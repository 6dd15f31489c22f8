"""Values that tests of sinks are about."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from casparian_flow.core.outputs import PermittedEntry, Role, SealedOutput
from casparian_flow.sinks.base import Attempt, Sink
from casparian_flow.sinks.lineage import Lineage, stamped_schema
from casparian_flow.sinks.log import AddedFile, Entry, EntryAction, JobRecord, JobRows, entry_bytes

DIGEST = "blake3:" + "0" * 64


def a_batch(numbers: Sequence[int] = (1, 2, 3)) -> pa.RecordBatch:
    return pa.record_batch({"n": pa.array(numbers, pa.int64()), "text": [f"row {n}" for n in numbers]})


def a_lineage(job: int = 1) -> Lineage:
    return Lineage(job, 7, DIGEST, "csv@1.0+abcdef01", 1_700_000_000_000_000_000)


def stamped(batch: pa.RecordBatch, job: int) -> pa.RecordBatch:
    return a_lineage(job).stamp(batch, pa.array(range(1, batch.num_rows + 1), pa.int64()))


def sealed(
    sink: Sink,
    job: int,
    batches: Sequence[pa.RecordBatch],
    *,
    table: str = "events",
    role: Role = Role.ACCEPTED,
    version: int = 1,
    attempt: int = 1,
    schema: pa.Schema | None = None,
) -> SealedOutput:
    """What a job leaves behind before it may commit."""
    plain = schema if schema is not None else batches[0].schema
    staged = sink.stage(Attempt(job=job, attempt=attempt), table, role, version, stamped_schema(plain))
    for batch in batches:
        staged.write(stamped(batch, job))
    return staged.seal(DIGEST, DIGEST)


def permitted(
    output: SealedOutput,
    seq: int,
    job: int,
    *,
    removed_jobs: Sequence[int] = (),
    removed_files: Sequence[str] = (),
    action: EntryAction = EntryAction.APPEND,
) -> PermittedEntry:
    """The permit that makes one output of one job visible."""
    entry = Entry(
        table=output.table,
        role=output.role,
        seq=seq,
        action=action,
        contract_version=output.contract_version,
        schema_hash=output.schema_hash,
        adds=tuple(
            AddedFile(
                name=file.name,
                size=file.size,
                digest=file.digest,
                rows=file.rows,
                jobs=(JobRows(job=job, rows=file.rows),),
            )
            for file in output.files
        ),
        removed_jobs=tuple(removed_jobs),
        removed_files=tuple(removed_files),
        jobs=(
            JobRecord(
                job=job,
                attempt=1,
                materialization_key=DIGEST,
                row_digest=output.row_digest,
                emitted=output.rows,
                accepted=output.rows,
                quarantined=0,
            ),
        ),
    )
    return PermittedEntry(sink=output.sink, table=output.table, role=output.role, seq=seq, body=entry_bytes(entry))


def commit(sink: Sink, seq: int, job: int, numbers: Sequence[int] = (1, 2, 3), **options: object) -> SealedOutput:
    """A whole commit of one small job."""
    table = str(options.pop("table", "events"))
    output = sealed(sink, job, [a_batch(numbers)], table=table)
    sink.promote([permitted(output, seq, job, **options)])  # type: ignore[arg-type]
    return output
