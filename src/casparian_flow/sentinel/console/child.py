"""The process that runs one query: it sees the tables it was given, writes nothing but its answer, and ends.

Reads a QueryOrder as JSON from standard input and writes an Arrow stream to standard output; a failure is one line of
JSON on standard error and exit code 1.
"""

from __future__ import annotations

import json
import resource
import signal
import sys

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.dataset as ds

from casparian_flow.sentinel.console.limits import QueryOrder, TableSource

BATCH_ROWS = 8192
LONGEST_MESSAGE = 8000
"""What fits into the pipe at once, so that nobody has to read while this process writes."""


def main() -> int:
    """Run the query of standard input."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=QueryOrder)
    # Whoever asked stops a query that takes too long, but may have been killed itself: then this ends the process.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, order.limits.seconds)
    try:
        connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "memory_limit": f"{order.limits.memory_bytes}B",
                "temp_directory": "",
                "threads": "2",
                "python_enable_replacements": "false",
            }
        )
        for table in order.tables:
            _publish(connection, table)
        # From here on the process can write no file and the database can read none: only what is registered.
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        reader: pa.RecordBatchReader = connection.execute(order.text).to_arrow_reader(BATCH_ROWS)
        with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)
    except (duckdb.Error, pa.ArrowException) as exc:
        sys.stderr.write(json.dumps({"kind": type(exc).__name__, "message": str(exc)[:LONGEST_MESSAGE]}))
        return 1
    return 0


def _publish(connection: duckdb.DuckDBPyConnection, table: TableSource) -> None:
    """Make one table visible under its name, without the rows of superseded jobs."""
    hidden = f"__{table.schema_name or 'main'}__{table.name}"
    if table.stream is not None:
        connection.register(hidden, pa.ipc.open_stream(pa.memory_map(table.stream)).read_all())
    else:
        schema = pa.ipc.read_schema(pa.py_buffer(table.schema))
        found = ds.dataset(table.files, schema=schema, format="parquet") if table.files else schema.empty_table()
        connection.register(hidden, found)
    if table.schema_name:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(table.schema_name)}")
    place = ".".join(_quoted(part) for part in (table.schema_name, table.name) if part)
    columns = ", ".join(_column(column, table.older.get(column)) for column in table.columns)
    removed = ", ".join(str(job) for job in table.removed_jobs)
    where = f" WHERE _cf_job_id NOT IN ({removed})" if removed else ""
    connection.execute(f"CREATE VIEW {place} AS SELECT {columns} FROM {_quoted(hidden)}{where}")  # noqa: S608 - quoted


def _column(name: str, older: list[str] | None) -> str:
    if older is None:
        return _quoted(name)
    return f"coalesce({', '.join(map(_quoted, older))}) AS {_quoted(name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


if __name__ == "__main__":
    sys.exit(main())
