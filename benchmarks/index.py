"""Every benchmark, in the order in which they run."""

from __future__ import annotations

from benchmarks import (
    crashes,
    csv_files,
    dlt_load,
    event_logs,
    inventory,
    json_lines,
    large_file,
    queue_cycles,
    schema_cells,
    service,
    small_files,
    start,
    unchanged,
)

BENCHMARKS = (
    start.BENCHMARK,
    inventory.BENCHMARK,
    unchanged.BENCHMARK,
    csv_files.ONE,
    csv_files.MANY,
    dlt_load.BENCHMARK,
    json_lines.BENCHMARK,
    event_logs.BENCHMARK,
    small_files.BENCHMARK,
    large_file.BENCHMARK,
    schema_cells.BENCHMARK,
    queue_cycles.BENCHMARK,
    service.BENCHMARK,
    crashes.BENCHMARK,
)
