"""What is visible of one file, table by table, to be compared with another reading of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import pyarrow as pa

from casparian_flow.core.lineage import SOURCE_ROW
from casparian_flow.core.outputs import Role
from casparian_flow.lab.comparing import FileRows, TableRows
from casparian_flow.operations.context import Acting
from casparian_flow.store.engine import AnyRow


def rows_there(acting: Acting, rows: Iterable[AnyRow]) -> FileRows:
    """What is visible of a file by table, in the first sink that has it; `rows` are its materializations."""
    found: dict[str, TableRows] = {}
    for row in rows:
        if not row.table_name or row.table_name in found:
            continue
        read = partial(_read, acting, row.sink_uri, row.table_name, row.job_id)
        found[row.table_name] = TableRows(
            accepted=row.accepted,
            rejected=row.quarantined,
            digest=row.row_digest if row.accepted else "",
            read_accepted=partial(read, Role.ACCEPTED, None),
            read_rejected=partial(read, Role.QUARANTINE, (SOURCE_ROW,)),
        )
    return found


def _read(
    acting: Acting, sink: str, table: str, job: int, role: Role, columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    return acting.open_sink(sink).read(table, role, columns=columns, jobs=[job])
