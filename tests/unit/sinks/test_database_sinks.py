"""What is particular to tables in a database: its views, its names, its locks, and what others keep in it."""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from casparian_flow.core.errors import (
    LogConflict,
    SinkError,
    SinkUnavailable,
    TargetTaken,
    UsageError,
    VerificationFailed,
)
from casparian_flow.core.outputs import Role
from casparian_flow.sinks import duckdb_file, sqlite_file
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.log import EntryAction
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, commit, permitted, sealed

SUFFIX = {"duckdb": "duckdb", "sqlite": "db"}


@pytest.fixture(params=SUFFIX)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def path(scheme: str, tmp_path: Path) -> Path:
    return tmp_path / f"it's [a] *.{SUFFIX[scheme]}"


@pytest.fixture
def sink(scheme: str, path: Path) -> Sink:
    return open_sink(f"{scheme}://{path}")


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The database as anybody opens it."""
    is_duckdb = path.suffix == ".duckdb"
    with closing(duckdb.connect(path) if is_duckdb else sqlite3.connect(path, isolation_level=None)) as database:
        yield database


def answer(path: Path, query: str) -> list[tuple[Any, ...]]:
    with opened(path) as database:
        return list(database.execute(query).fetchall())


def quarantine_view(scheme: str) -> str:
    return "quarantine.events" if scheme == "duckdb" else "_cf_quarantine__events"


def add(sink: Sink, seq: int, columns: dict[str, Any], *, version: int = 1, **options: Any) -> None:
    output = sealed(sink, seq, [pa.record_batch(columns)], version=version)
    sink.promote([permitted(output, seq, seq, **options)])


def read(sink: Sink) -> pa.Table:
    return sink.read("events", Role.ACCEPTED).read_all()


def test_macros_named_like_the_functions_of_duckdb_do_not_come_between(tmp_path: Path) -> None:
    path = tmp_path / "theirs.duckdb"
    with opened(path) as database:
        database.execute("CREATE MACRO read_parquet(path, hive_partitioning := false) AS TABLE SELECT 9 AS c0")
        database.execute("CREATE MACRO duckdb_tables() AS TABLE SELECT 'x' AS schema_name, 'events' AS table_name")
        database.execute("CREATE MACRO current_database() AS 'another'")
        database.execute("CREATE TABLE taken (n INTEGER)")
    sink = open_sink(f"duckdb://{path}")
    commit(sink, 1, 1, [1, 2])
    commit(sink, 2, 2, [3])
    assert read(sink).column("n").to_pylist() == [1, 2, 3]
    with pytest.raises(TargetTaken, match="already has"):
        sealed(sink, 3, [a_batch([1])], table="taken")


def test_anybody_reads_the_current_rows_in_a_view(sink: Sink, scheme: str, path: Path) -> None:
    commit(sink, 1, 1, [1, 2])
    commit(sink, 2, 2, [3], removed_jobs=[1])
    sink.promote([permitted(sealed(sink, 3, [a_batch([9])], role=Role.QUARANTINE), 1, 3)])

    assert answer(path, "SELECT n, text, _cf_job_id FROM events") == [(3, "row 3", 2)]
    assert answer(path, f"SELECT n FROM {quarantine_view(scheme)}") == [(9,)]
    assert answer(path, "SELECT n FROM _cf_rows_events ORDER BY n") == [(1,), (2,), (3,)]


def test_one_commit_is_one_transaction(sink: Sink, path: Path) -> None:
    commit(sink, 1, 1, [1], table="second")
    first = permitted(sealed(sink, 2, [a_batch([2])], table="first"), 1, 2)
    clash = permitted(sealed(sink, 2, [a_batch([2])], table="second"), 1, 2)

    with pytest.raises(LogConflict):
        sink.promote([first, clash])

    assert sink.tables(Role.ACCEPTED) == ["second"]
    sink.promote([first])
    assert answer(path, "SELECT n FROM first") == [(2,)]


def test_nothing_but_the_database_is_left_after_a_commit(sink: Sink, path: Path) -> None:
    commit(sink, 1, 1)

    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_rows_that_come_back_are_not_loaded_twice(sink: Sink, path: Path) -> None:
    output = commit(sink, 1, 1, [1])
    commit(sink, 2, 2, [2], removed_jobs=[1])
    sink.promote([permitted(output, 3, 1, removed_jobs=[2], action=EntryAction.REVERT)])

    assert read(sink).column("n").to_pylist() == [1]
    assert answer(path, "SELECT n FROM _cf_rows_events ORDER BY n") == [(1,), (2,)]
    assert sink.read("events", Role.ACCEPTED, 2).read_all().column("n").to_pylist() == [2]


def test_an_entry_that_removes_files_is_refused(sink: Sink, path: Path) -> None:
    output = commit(sink, 1, 1)
    entry = permitted(sealed(sink, 2, [a_batch()]), 2, 2, removed_files=[output.files[0].name])

    with pytest.raises(SinkError, match="removes files"):
        sink.promote([entry])

    assert answer(path, "SELECT count(*) FROM events") == [(3,)]


def test_reading_creates_nothing(sink: Sink, path: Path) -> None:
    assert sink.tables(Role.ACCEPTED) == []
    assert sink.snapshot("events", Role.ACCEPTED).seq == 0
    assert sink.present([("events", Role.ACCEPTED, 1)]) == set()

    assert list(path.parent.iterdir()) == []


NAMES = [
    "A",
    "a",
    "Ä",
    "ä",
    'q"uo"te',
    "semi;colon -- /*",
    "rowid",
    "",
    "a__2",
    "nul\x00",
    "table",
    "x" * 300,
    "c0",
    ".",
]


def test_any_column_name_survives_even_if_only_case_tells_it_apart(sink: Sink, path: Path) -> None:
    batch = pa.record_batch({name: pa.array([at], pa.int64()) for at, name in enumerate(NAMES)})
    sink.promote([permitted(sealed(sink, 1, [batch]), 1, 1)])

    assert read(sink).select(NAMES).to_batches()[0].equals(batch)
    assert list(answer(path, "SELECT * FROM events")[0][: len(NAMES)]) == list(range(len(NAMES)))
    assert answer(path, 'SELECT "A", "a__3", "a__2" FROM events') == [(0, 1, 8)]


def test_contract_versions_are_joined_by_name(sink: Sink, scheme: str, path: Path) -> None:
    add(sink, 1, {"id": [1], "amount": [5], "ok": [True]})
    add(sink, 2, {"id": [2], "amount": ["many"], "ok": ["maybe"], "new": [1.5]}, version=2)
    add(sink, 3, {"id": [3], "amount": [7], "ok": [False]}, version=3)

    found = read(sink).select(["id", "amount", "ok", "new"])

    assert found.to_pylist() == [
        {"id": 1, "amount": "5", "ok": "true", "new": None},
        {"id": 2, "amount": "many", "ok": "maybe", "new": 1.5},
        {"id": 3, "amount": "7", "ok": "false", "new": None},
    ]
    rows = answer(path, "SELECT id, amount, ok, new FROM events ORDER BY id")
    assert rows == [tuple(row.values()) for row in found.to_pylist()]
    first = sink.read("events", Role.ACCEPTED, 1, ["amount"]).read_all()
    assert first.schema.types == [pa.int64()]


def test_the_view_shows_columns_that_nothing_can_join_beside_each_other(sink: Sink, path: Path) -> None:
    add(sink, 1, {"value": [[1]]})
    add(sink, 2, {"value": ["one"]}, version=2)

    found = answer(path, "SELECT value, value__2 FROM events ORDER BY value__2")

    assert {str(row).replace("'", "") for row in found} == {"([1], None)", "(None, one)"}
    with pytest.raises(UsageError, match="value is"):
        read(sink)


FLOATS = [float("nan"), -0.0, 0.0, float("inf"), float("-inf"), 5e-324, 1e308, None]


def test_floats_keep_every_bit(sink: Sink, path: Path) -> None:
    add(sink, 1, {"value": pa.array(FLOATS), "nested": pa.array([[value] for value in FLOATS])})

    found = read(sink)

    assert str(found.column("value").to_pylist()) == str(FLOATS)
    assert str(found.column("nested").to_pylist()) == str([[value] for value in FLOATS])
    assert len(answer(path, "SELECT value FROM events WHERE value IS NULL")) == 1


EXTREMES = {
    "timestamp": pa.array([-(2**63), 2**63 - 1, None], pa.timestamp("ns")),
    "zoned": pa.array([-(2**63), 2**63 - 1, None], pa.timestamp("ns", "Asia/Tokyo")),
    "date": pa.array([-(2**31), 2**31 - 1, None], pa.int32()).cast(pa.date32()),
    "duration": pa.array([-(2**63), 2**63 - 1, None], pa.duration("ns")),
    "mixed": pa.array(
        [{"A": 1, "a": 2, "at": 3, "raw": b"\x00\xff"}, None, {"A": None, "a": None, "at": None, "raw": None}],
        pa.struct([("A", pa.int64()), ("a", pa.int64()), ("at", pa.timestamp("ns", "UTC")), ("raw", pa.binary())]),
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_the_ends_of_every_range_come_back(sink: Sink, name: str) -> None:
    batch = pa.record_batch({name: EXTREMES[name]})
    sink.promote([permitted(sealed(sink, 1, [batch]), 1, 1)])

    assert read(sink).select([name]) == pa.Table.from_batches([batch])


@pytest.mark.parametrize("made", ["CREATE TABLE EVENTS (mine TEXT)", "CREATE VIEW Events AS SELECT 'mine' AS mine"])
def test_a_table_of_somebody_else_is_refused_before_the_permit(sink: Sink, path: Path, made: str) -> None:
    with opened(path) as database:
        database.execute(made)
    before = path.read_bytes()

    with pytest.raises(TargetTaken, match="already has") as caught:
        sealed(sink, 1, [a_batch()])

    assert caught.value.fix
    assert path.read_bytes() == before
    assert sink.tables(Role.ACCEPTED) == []


def test_tables_stand_beside_those_of_others(sink: Sink, path: Path) -> None:
    with opened(path) as database:
        database.execute("CREATE TABLE other AS SELECT 'mine' AS mine")

    commit(sink, 1, 1)

    assert answer(path, "SELECT mine FROM other") == [("mine",)]
    assert answer(path, "SELECT count(*) FROM events") == [(3,)]


@pytest.mark.parametrize(
    "made", ["CREATE TABLE _CF_meta (key TEXT, value TEXT)", "CREATE TABLE _cf_rows_events (n INT)"]
)
def test_reserved_names_of_somebody_else_are_left_alone(sink: Sink, path: Path, made: str) -> None:
    with opened(path) as database:
        database.execute(made)

    with pytest.raises(TargetTaken):
        sealed(sink, 1, [a_batch()])
    with pytest.raises(TargetTaken):
        sink.check()


def test_what_is_not_a_database_of_the_kind_is_refused_and_kept(scheme: str, sink: Sink, path: Path) -> None:
    other = "db" if scheme == "duckdb" else "duckdb"
    with opened(path.parent / f"other.{other}") as database:
        database.execute("CREATE TABLE t (n INT)")
    for content in (b"a text\n" * 1000, (path.parent / f"other.{other}").read_bytes()):
        path.write_bytes(content)

        with pytest.raises(SinkUnavailable, match="cannot be used") as caught:
            sink.check()
        with pytest.raises(SinkUnavailable):
            sealed(sink, 1, [a_batch()])

        assert "it is not a" in caught.value.why
        assert path.read_bytes() == content


HOLD = {
    "duckdb": "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); input()",
    "sqlite": "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
    "c.execute('BEGIN EXCLUSIVE'); print('held', flush=True); input()",
}


@contextmanager
def held(scheme: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """The database, held by another process until it reads a line."""
    command = [sys.executable, "-c", HOLD[scheme], str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("place", [4, 60, -60, -8])
def test_staged_bytes_that_changed_before_the_commit_reach_no_table(sink: Sink, path: Path, place: int) -> None:
    entry = permitted(sealed(sink, 1, [a_batch(range(50))]), 1, 1)
    [staged] = path.parent.rglob("*.parquet")
    kept = staged.read_bytes()
    changed = bytearray(kept)
    changed[place] ^= 1
    staged.write_bytes(changed)

    with pytest.raises(VerificationFailed, match="not as it was sealed"):
        sink.promote([entry])
    assert sink.tables(Role.ACCEPTED) == []

    staged.write_bytes(kept)
    sink.promote([entry])
    assert read(sink).num_rows == 50


def test_a_locked_database_is_unavailable_and_can_be_tried_again(
    scheme: str, sink: Sink, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (duckdb_file, sqlite_file):
        monkeypatch.setattr(module, "LOCK_SECONDS", 0.1)
    commit(sink, 1, 1)
    entry = permitted(sealed(sink, 2, [a_batch([7])]), 2, 2)

    with held(scheme, path) as child:
        with pytest.raises(SinkUnavailable) as caught:
            sink.promote([entry])
        assert caught.value.transient
        assert "another process" in caught.value.why
        assert scheme == "sqlite" or f"(PID {child.pid})" in caught.value.why

    sink.promote([entry])
    assert read(sink).column("n").to_pylist() == [1, 2, 3, 7]


def test_a_lock_that_is_given_back_in_time_is_waited_for(scheme: str, sink: Sink, path: Path) -> None:
    commit(sink, 1, 1)
    entry = permitted(sealed(sink, 2, [a_batch([7])]), 2, 2)

    with held(scheme, path) as child:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        sink.promote([entry])

    assert read(sink).column("n").to_pylist() == [1, 2, 3, 7]


FULL = """
import pickle, resource, sys, tempfile
from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.sinks.uri import open_sink
sink = open_sink(sys.argv[1])
entry = pickle.load(open(sys.argv[2], "rb"))
tempfile.gettempdir()  # is found out by writing a file
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    sink.promote([entry])
except SinkUnavailable as error:
    print(error.why)
"""


@pytest.mark.parametrize("room", [0, 30_000, 1_000_000])
def test_a_disk_that_fills_up_during_a_commit_shows_nothing_of_it(
    sink: Sink, path: Path, room: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    commit(sink, 1, 1)
    texts = pa.array([os.urandom(20).hex() for _ in range(40_000)])
    batch = pa.record_batch({"n": pa.array(range(40_000), pa.int64()), "text": texts})
    entry = permitted(sealed(sink, 2, [batch]), 2, 2, removed_jobs=[1])
    saved = tmp_path_factory.mktemp("entry") / "entry"
    saved.write_bytes(pickle.dumps(entry))

    done = subprocess.run(
        [sys.executable, "-c", FULL, sink.uri, str(saved), str(room)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(Path(each).resolve()) for each in ("src", "tests"))},
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "grow" in done.stdout
    assert read(sink).column("n").to_pylist() == [1, 2, 3]
    sink.promote([entry])
    assert sink.snapshot("events", Role.ACCEPTED).rows == 40_000


def test_what_a_killed_creation_leaves_is_swept(sink: Sink, path: Path) -> None:
    left = path.with_name(f".{path.name}.new.0123456789abcdef")
    left.write_bytes(b"half")

    sink.sweep([])

    assert list(path.parent.iterdir()) == []


def test_duckdb_files_can_be_opened_by_older_versions(tmp_path: Path) -> None:
    commit(open_sink(f"duckdb://{tmp_path}/a.duckdb"), 1, 1)

    with closing(duckdb.connect(tmp_path / "a.duckdb")) as database:
        [(tags,)] = database.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'a'").fetchall()
        types = database.execute("SELECT DISTINCT data_type FROM duckdb_columns() WHERE NOT internal").fetchall()

    assert tags["storage_version"] == "v1.2.0+"
    assert {kind for (kind,) in types} <= {"BIGINT", "VARCHAR", "BLOB", "TIMESTAMP"}


def test_names_that_sqlite_needs_are_refused(tmp_path: Path) -> None:
    sink = open_sink(f"sqlite://{tmp_path}/a.db")

    with pytest.raises(UsageError, match="cannot name a table in SQLite"):
        sealed(sink, 1, [a_batch()], table="sqlite_events")


def test_a_table_named_after_a_quarantine_stands_beside_the_quarantine_of_another(tmp_path: Path) -> None:
    sink = open_sink(f"sqlite://{tmp_path}/a.db")
    for table, role, batch in (
        ("quarantine__events", Role.ACCEPTED, a_batch([1])),
        ("events", Role.QUARANTINE, a_batch([2])),
    ):
        sink.promote([permitted(sealed(sink, 1, [batch], table=table, role=role), 1, 1)])

    assert answer(tmp_path / "a.db", "SELECT n FROM quarantine__events") == [(1,)]
    assert answer(tmp_path / "a.db", "SELECT n FROM _cf_quarantine__events") == [(2,)]


def test_more_columns_than_sqlite_has_are_refused_before_the_permit(tmp_path: Path) -> None:
    sink = open_sink(f"sqlite://{tmp_path}/a.db")
    batch = pa.record_batch({f"n{at}": pa.array([at], pa.int64()) for at in range(1985)})

    with pytest.raises(UsageError, match="too many columns"):
        sealed(sink, 1, [batch])


def test_the_end_of_a_commit_to_sqlite_is_durable_and_not_its_beginning(tmp_path: Path) -> None:
    (tmp_path / "out.db").touch()
    with sqlite_file.SQLite().writing(tmp_path / "out.db") as connection:
        assert connection.rows("PRAGMA synchronous") == [(3,)]  # EXTRA: a journal whose removal was lost undoes rows
