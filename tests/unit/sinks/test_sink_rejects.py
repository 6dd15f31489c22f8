"""Rejected rows of one cause go, those of the same jobs with other causes stay, and every count says so."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest

from casparian_flow.core.outputs import Role
from casparian_flow.core.quarantine import group_reference
from casparian_flow.schema.rejections import REJECTION_SCHEMA
from casparian_flow.sentinel.history.rejects_of_causes import rejects_of
from casparian_flow.sinks.database import DatabaseSink
from casparian_flow.sinks.database_rejects import AT_ONCE
from casparian_flow.sinks.duckdb_file import DuckDBConnection
from casparian_flow.sinks.folder import FolderSink
from casparian_flow.sinks.layout import table_folder
from casparian_flow.sinks.log import JobRows
from casparian_flow.sinks.rejects import Rejects
from casparian_flow.sinks.resolve import resolve_state
from casparian_flow.sinks.sqlite_file import SQLiteConnection
from casparian_flow.sinks.uri import open_sink
from sink_builders import DIGEST, permitted, sealed

CAST, NULL, RECORD = ("cf.cast.int64", "n", "A"), ("cf.null", "n", ""), ("cf.csv.arity", None, "")


def rejected(*causes: tuple[str, str | None, str]) -> pa.RecordBatch:
    rows = [
        {"level": "field", "code": code, "column": column, "message": f"{code} {at}", "shape": shape}
        for at, (code, column, shape) in enumerate(causes)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=REJECTION_SCHEMA)


def filled(uri: str, tmp_path: Path) -> FolderSink | DatabaseSink:
    """Two jobs, each with rows of three causes."""
    sink = open_sink(uri.format(tmp_path))
    assert isinstance(sink, (FolderSink, DatabaseSink))
    for job in (1, 2):
        output = sealed(sink, job, [rejected(CAST, NULL, CAST, RECORD)], role=Role.QUARANTINE)
        sink.promote([permitted(output, job, job)])
    return sink


def messages(sink: FolderSink | DatabaseSink) -> list[str]:
    found: list[str] = sink.read("events", Role.QUARANTINE).read_all()["message"].to_pylist()
    return found


def these(jobs: set[int], cause: tuple[str, str | None, str] = CAST) -> list[Rejects]:
    code, column, shape = cause
    return [Rejects(code=code, column=column or "", shape=shape, jobs=frozenset(jobs))]


@pytest.mark.parametrize("scheme", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("jobs", "cause", "left"),
    [
        ({1, 2}, CAST, (2, 2)),
        ({2}, CAST, (4, 2)),
        ({1}, NULL, (3, 4)),
        ({1, 2}, RECORD, (3, 3)),
        ({1, 2}, ("cf.null", "m", ""), (4, 4)),
    ],
)
def test_a_file_is_written_anew_without_them(
    tmp_path: Path, scheme: str, jobs: set[int], cause: tuple[str, str | None, str], left: tuple[int, int]
) -> None:
    sink = filled(f"{scheme}://{{}}/out", tmp_path)
    assert isinstance(sink, FolderSink)
    files = list(resolve_state(table_folder(sink.root, Role.QUARANTINE, "events"), Role.QUARANTINE).files.values())
    [new] = sink.rewrite(1, "events", Role.QUARANTINE, files, DIGEST, these(jobs, cause))
    assert new.jobs == (JobRows(job=1, rows=left[0]), JobRows(job=2, rows=left[1]))
    assert new.rows == sum(left)


@pytest.mark.parametrize("scheme", ["duckdb", "sqlite"])
def test_a_database_forgets_them_and_counts_what_is_left(tmp_path: Path, scheme: str) -> None:
    sink = filled(f"{scheme}://{{}}/out.db", tmp_path)
    assert isinstance(sink, DatabaseSink)
    for _ in range(2):  # allowed twice
        sink.erase("events", {}, these({2}))
        assert messages(sink) == [
            "cf.cast.int64 0", "cf.null 1", "cf.cast.int64 2", "cf.csv.arity 3", "cf.null 1", "cf.csv.arity 3",
        ]  # fmt: skip
        assert sink.snapshot("events", Role.QUARANTINE).rows == 6
    sink.erase("events", {Role.QUARANTINE: {1}}, these({2}, RECORD))
    assert messages(sink) == ["cf.null 1"]
    assert b"cf.cast.int64 0" not in sink.path.read_bytes()


@pytest.mark.parametrize(("scheme", "connection"), [("duckdb", DuckDBConnection), ("sqlite", SQLiteConnection)])
def test_all_rows_of_many_jobs_go_in_a_few_statements(tmp_path: Path, scheme: str, connection: type) -> None:
    sink = filled(f"{scheme}://{{}}/out.db", tmp_path)
    assert isinstance(sink, DatabaseSink)
    with (
        patch.object(connection, "rows", autospec=True, side_effect=connection.rows) as asked,
        patch.object(connection, "add", autospec=True, side_effect=connection.add) as added,
    ):
        sink.erase("events", {Role.QUARANTINE: range(2, AT_ONCE + 3)})
    deleting = [each for each in asked.call_args_list if each.args[1].startswith("DELETE")]
    assert (len(deleting), added.call_count) == (2, 0)
    assert len(messages(sink)) == 4


@pytest.mark.parametrize("uri", ["parquet://{}/out", "csv://{}/out", "duckdb://{}/out.db", "sqlite://{}/out.db"])
def test_they_are_found_by_the_name_of_their_cause(tmp_path: Path, uri: str) -> None:
    sink = filled(uri, tmp_path)
    names = {group_reference("csv", "events", code, column or "", shape) for code, column, shape in (CAST, RECORD)}
    found = rejects_of(sink, "events", {1: names, 2: names}, {1: "csv", 2: "other"})
    assert found == these({1}) + these({1}, RECORD)
    both = dict.fromkeys((1, 2), "csv")
    apart = rejects_of(sink, "events", {1: names, 2: names - {group_reference("csv", "events", *CAST)}}, both)
    assert apart == these({1}) + these({1, 2}, RECORD)
