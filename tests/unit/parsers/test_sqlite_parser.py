"""The SQLite parser on databases made here: every storage class, journals, odd names, damage, hostility."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pyarrow as pa
import pytest

from casparian_flow.sdk import PermanentError, Rows
from shipped_parser import Parsed, load_shipped_parser, run_parser

parser = load_shipped_parser("database/sqlite")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a guest would run in."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    folder.mkdir()
    return folder / "data.db"


@pytest.fixture
def build(evidence: Path):
    def run(*statements: str, pragmas: tuple[str, ...] = ()) -> Path:
        with closing(sqlite3.connect(evidence, isolation_level=None)) as connection:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
            for statement in statements:
                connection.execute(statement)
        return evidence

    return run


def parse(path: Path) -> Parsed:
    return run_parser(parser, path)


def values(parsed: Parsed, table: str, column: str) -> list:
    return parsed.table(table)[column].to_pylist()


def test_each_storage_class_becomes_its_type(build) -> None:
    parsed = parse(
        build(
            "CREATE TABLE t (i, r, s, b)",
            "INSERT INTO t VALUES (1, 1.5, '007', x'00ff'), (NULL, NULL, NULL, NULL)",
            "INSERT INTO t VALUES (-9223372036854775808, 2.0, 'é', x'')",
        )
    )
    table = parsed.table("t")
    assert [field.type for field in table.schema] == [pa.int64(), pa.float64(), pa.string(), pa.binary()]
    assert table.to_pylist() == [
        {"i": 1, "r": 1.5, "s": "007", "b": b"\x00\xff"},
        {"i": None, "r": None, "s": None, "b": None},
        {"i": -(1 << 63), "r": 2.0, "s": "é", "b": b""},
    ]
    assert parsed.rejected == []


def test_text_is_marked_so_that_it_stays_text(build) -> None:
    schema = parse(build("CREATE TABLE t (s)", "INSERT INTO t VALUES ('12'), ('13')")).table("t").schema
    assert schema.field("s").metadata == {b"cf.type": b"string"}


def test_declared_types_do_not_change_what_is_stored(build) -> None:
    parsed = parse(
        build("CREATE TABLE t (flag BOOLEAN, day DATE)", "INSERT INTO t VALUES (1, '2024-01-01'), (0, '2024-01-02')")
    )
    assert parsed.rows("t") == [{"flag": 1, "day": "2024-01-01"}, {"flag": 0, "day": "2024-01-02"}]


def test_integers_beside_reals_are_floats_while_that_is_exact(build) -> None:
    parsed = parse(
        build(
            "CREATE TABLE t (exact, inexact)",
            "INSERT INTO t VALUES (9007199254740992, 9007199254740993), (0.5, 0.5)",
        )
    )
    assert values(parsed, "t", "exact") == [9007199254740992.0, 0.5]
    assert values(parsed, "t", "inexact") == ["9007199254740993", "0.5"]
    assert parsed.table("t").schema.field("inexact").metadata == {b"cf.encoding": b"json"}


def test_mixed_columns_become_tagged_cells(build) -> None:
    parsed = parse(
        build(
            "CREATE TABLE t (v)",
            """INSERT INTO t VALUES (1), (2.5), ('say "hi"'), (x'0aff'), (NULL), (9e999), (-9e999), ('')""",
        )
    )
    cells = values(parsed, "t", "v")
    assert cells == ["1", "2.5", '"say "hi"', '{"$binary": "0aff"}', None, "9e999", "-9e999", '"']
    assert json.loads(cells[5]) == float("inf")


def test_rowids_are_the_places_of_rows(build) -> None:
    parsed = parse(build("CREATE TABLE t (v)", "INSERT INTO t (rowid, v) VALUES (-3, 'a'), (7, 'b'), (1000, 'c')"))
    assert parsed.places("t", "source_row") == [-3, 7, 1000]


def test_a_column_called_rowid_does_not_hide_the_rowid(build) -> None:
    parsed = parse(build("CREATE TABLE t (rowid TEXT, oid TEXT)", "INSERT INTO t (_rowid_, rowid) VALUES (5, 'x')"))
    assert parsed.places("t", "source_row") == [5]
    assert values(parsed, "t", "rowid") == ["x"]


def test_tables_without_rowid_count_their_rows(build) -> None:
    parsed = parse(
        build("CREATE TABLE t (k TEXT PRIMARY KEY, v) WITHOUT ROWID", "INSERT INTO t VALUES ('b', 1), ('a', 2)")
    )
    assert values(parsed, "t", "k") == ["a", "b"]
    assert parsed.places("t", "source_row") == [1, 2]


def test_views_and_internal_tables_are_named_and_not_read(build) -> None:
    parsed = parse(
        build(
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)",
            "INSERT INTO t DEFAULT VALUES",
            "CREATE VIEW trap AS SELECT zeroblob(1000000000) FROM t",
        )
    )
    assert parsed.outputs() == ["t"]
    assert parsed.verdicts["not read"] == "sqlite_sequence, trap"


def test_tables_without_rows_still_have_their_columns(build) -> None:
    table = parse(build("CREATE TABLE t (i INTEGER, s VARCHAR(9), b BLOB, r DOUBLE, n)")).table("t")
    assert table.num_rows == 0
    assert [field.type for field in table.schema] == [pa.int64(), pa.string(), pa.binary(), pa.float64(), pa.string()]


def test_generated_columns_are_read(build) -> None:
    parsed = parse(build("CREATE TABLE t (a, b AS (a * 2), c AS (a + 1) STORED)", "INSERT INTO t (a) VALUES (4)"))
    assert parsed.rows("t") == [{"a": 4, "b": 8, "c": 5}]


def test_full_text_tables_are_read(build) -> None:
    parsed = parse(build("CREATE VIRTUAL TABLE notes USING fts5(body)", "INSERT INTO notes VALUES ('hello')"))
    assert values(parsed, "notes", "body") == ["hello"]


def test_reserved_and_empty_names_are_changed_and_the_original_kept(build) -> None:
    parsed = parse(
        build('CREATE TABLE t ("_cf_job_id", "x_cf_job_id", "", "a ""b""")', "INSERT INTO t VALUES (1, 2, 3, 4)")
    )
    schema = parsed.table("t").schema
    assert schema.names == ["x_cf_job_id", "x_cf_job_id_2", "column_3", 'a "b"']
    assert schema.field(0).metadata == {b"cf.original": b"_cf_job_id"}
    assert parsed.rows("t") == [{"x_cf_job_id": 1, "x_cf_job_id_2": 2, "column_3": 3, 'a "b"': 4}]


def test_a_table_with_very_many_columns_is_read(build) -> None:
    names = [f"c{at}" for at in range(1500)]
    parsed = parse(build(f"CREATE TABLE t ({', '.join(names)})", "INSERT INTO t (c0, c1499) VALUES (1, 'z')"))
    row = parsed.rows("t")[0]
    assert (row["c0"], row["c700"], row["c1499"]) == (1, None, "z")


def test_utf_16_databases_are_read(build) -> None:
    parsed = parse(build("CREATE TABLE t (s)", "INSERT INTO t VALUES ('naïve 😀')", pragmas=("encoding = 'UTF-16le'",)))
    assert values(parsed, "t", "s") == ["naïve 😀"]


def test_text_with_a_zero_inside_is_kept_whole(build) -> None:
    parsed = parse(build("CREATE TABLE t (s)", "INSERT INTO t VALUES (CAST(x'610062' AS TEXT))"))
    assert values(parsed, "t", "s") == ["a\0b"]


def test_a_row_with_text_that_is_not_utf_8_is_rejected_and_the_others_kept(build) -> None:
    parsed = parse(
        build(
            "CREATE TABLE t (s, mixed)",
            "INSERT INTO t VALUES ('good', 1), (CAST(x'ff41' AS TEXT), 2)",
            "INSERT INTO t VALUES ('fine', CAST(x'fe' AS TEXT)), ('last', 'x')",
        )
    )
    assert values(parsed, "t", "s") == ["good", "last"]
    assert parsed.places("t", "source_row") == [1, 4]
    first, second = parsed.rejected
    assert (first.output, first.code, first.source_row, first.raw) == ("t", "cf.sqlite.text", 2, b"\xff\x41")
    assert (second.source_row, second.raw) == (3, b"\xfe")
    assert "column mixed" in second.locator


def test_rows_that_are_only_in_the_wal_are_read_and_the_evidence_is_untouched(evidence: Path, tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (v)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO t VALUES ('only in the WAL')")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{live}{suffix}", f"{evidence}{suffix}")
    before = {path.name: path.read_bytes() for path in evidence.parent.iterdir()}
    assert values(parse(evidence), "t", "v") == ["only in the WAL"]
    assert {path.name: path.read_bytes() for path in evidence.parent.iterdir()} == before


def test_an_unfinished_transaction_is_rolled_back_in_the_copy_only(evidence: Path, tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("CREATE TABLE t (v)")
        connection.execute("INSERT INTO t VALUES ('before')")
        connection.execute("BEGIN")
        connection.execute("UPDATE t SET v = 'during'")
        connection.executemany("INSERT INTO t VALUES (?)", [("x" * 900,)] * 200)
        for suffix in ("", "-journal"):
            shutil.copyfile(f"{live}{suffix}", f"{evidence}{suffix}")
    before = evidence.read_bytes()
    parsed = parse(evidence)
    assert evidence.read_bytes() == before
    assert "before" in values(parsed, "t", "v") and "during" not in values(parsed, "t", "v")


def stamps(folder: Path) -> dict[str, tuple[int, int, int]]:
    seen = {path.name: path.stat() for path in (folder, *folder.iterdir())}
    return {name: (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in seen.items()}


def open_modes(folder: Path) -> list[int]:
    """How this process holds the files of a folder open."""
    modes = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            if link.readlink().is_relative_to(folder):
                flags = re.search(r"flags:\s*(\d+)", Path(f"/proc/self/fdinfo/{link.name}").read_text())
                modes.append(int(flags[1], 8) & os.O_ACCMODE)
    return modes


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("mode", ["DELETE", "TRUNCATE", "PERSIST", "WAL"])
def test_a_database_without_journals_is_read_where_it_is_and_nothing_is_written(build, scratch: Path, mode) -> None:
    path = build(
        f"PRAGMA journal_mode = {mode}",
        "CREATE TABLE t (v)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i FROM n",
    )
    before = stamps(path.parent)
    reading = parser.parse(path)
    first = next(item for item in reading if isinstance(item, Rows))
    assert first.data.num_rows < 20_000
    assert open_modes(path.parent) == [os.O_RDONLY]
    assert list(scratch.iterdir()) == [] and stamps(path.parent) == before
    assert sum(item.data.num_rows for item in reading) == 20_000 - first.data.num_rows
    assert stamps(path.parent) == before


@pytest.mark.parametrize("name", ["of % kinds?#&.db", "naïve.db", b"\xff\xfe.db"])
def test_a_database_of_any_name_is_read(build, name) -> None:
    path = build("CREATE TABLE t (v)", "INSERT INTO t VALUES (1)")
    path = path.rename(path.with_name(os.fsdecode(name)))
    assert parse(path).rows("t") == [{"v": 1}]


def test_a_copy_that_finds_no_room_is_refused_with_advice(build, evidence: Path, monkeypatch) -> None:
    def has_no_room(*_names: object) -> None:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))

    build("CREATE TABLE t (v)")
    Path(f"{evidence}-wal").write_bytes(b"7" * 100)
    monkeypatch.setattr(shutil, "copyfile", has_no_room)
    with pytest.raises(PermanentError, match="too large to be copied"):
        parse(evidence)


def test_nothing_is_left_in_scratch(build, scratch: Path) -> None:
    parse(build("CREATE TABLE t (v)", "INSERT INTO t VALUES (1)"))
    assert list(scratch.iterdir()) == []


@pytest.fixture
def broken(build, evidence: Path) -> Iterator[Path]:
    """A table of many pages with one leaf in its middle overwritten, between two sound tables."""
    rows = ", ".join(f"({at}, '{'x' * 400}')" for at in range(1, 401))
    build(
        "CREATE TABLE before (v)",
        "INSERT INTO before VALUES (1)",
        "CREATE TABLE big (id INTEGER PRIMARY KEY, v)",
        f"INSERT INTO big VALUES {rows}",
        "CREATE TABLE later (v)",
        "INSERT INTO later VALUES (2)",
    )
    data = bytearray(evidence.read_bytes())
    page = data.index(b"x" * 400, len(data) // 2) // 4096
    data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    evidence.write_bytes(data)
    return evidence


def test_a_damaged_page_costs_its_own_rows_only(broken: Path) -> None:
    parsed = parse(broken)
    ids = parsed.places("big", "source_row")
    assert len(set(ids)) == len(ids) and {1, 400} <= set(ids)
    lost = sorted(set(range(1, 401)) - set(ids))
    assert 0 < len(lost) < 20 and lost == list(range(lost[0], lost[-1] + 1))
    (entry,) = parsed.rejected
    assert (entry.output, entry.code) == ("big", "cf.sqlite.corrupt")
    assert f"after rowid {lost[0] - 1} and before rowid {lost[-1] + 1}" in entry.message
    assert parsed.rows("before") == [{"v": 1}] and parsed.rows("later") == [{"v": 2}]


def test_damage_in_a_table_without_rowid_ends_that_table(build, evidence: Path) -> None:
    rows = ", ".join(f"('{at:05}', '{'x' * 400}')" for at in range(400))
    build("CREATE TABLE big (k PRIMARY KEY, v) WITHOUT ROWID", f"INSERT INTO big VALUES {rows}")
    data = bytearray(evidence.read_bytes())
    page = data.index(b"x" * 400, len(data) // 2) // 4096
    data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    evidence.write_bytes(data)
    parsed = parse(evidence)
    kept = values(parsed, "big", "k")
    assert kept == [f"{at:05}" for at in range(len(kept))] and 0 < len(kept) < 400
    assert parsed.codes == {"cf.sqlite.corrupt": 1}


def test_a_virtual_table_of_an_unknown_module_is_an_entry(build, evidence: Path) -> None:
    build("CREATE TABLE t (v)", "INSERT INTO t VALUES (1)", "CREATE VIRTUAL TABLE ghost USING fts5(a)")
    evidence.write_bytes(evidence.read_bytes().replace(b"USING fts5(a)", b"USING nope(a)"))
    parsed = parse(evidence)
    assert parsed.rows("t") == [{"v": 1}]
    assert [(entry.output, entry.code) for entry in parsed.rejected] == [("ghost", "cf.sqlite.unreadable")]


def test_a_cell_that_claims_a_gigabyte_is_refused_and_the_file_goes_on(build) -> None:
    parsed = parse(
        build(
            "CREATE TABLE bomb (a, big AS (zeroblob(a)))",
            "INSERT INTO bomb VALUES (10), (900000000)",
            "CREATE TABLE t (v)",
            "INSERT INTO t VALUES (1)",
        )
    )
    assert parsed.rows("t") == [{"v": 1}]
    assert values(parsed, "bomb", "a") == [10]
    assert parsed.codes == {"cf.sqlite.oversize": 1}


def test_rows_too_large_are_named_one_by_one_and_those_between_are_read(build) -> None:
    parsed = parse(
        build(
            "CREATE TABLE bomb (a, big AS (zeroblob(a)))",
            "INSERT INTO bomb VALUES (900000000), (1), (2), (800000000), (700000000), (3), (600000000)",
        )
    )
    assert values(parsed, "bomb", "a") == [1, 2, 3]
    assert [(entry.source_row, entry.locator) for entry in parsed.rejected] == [
        (row, f"table bomb, row {row}") for row in (1, 4, 5, 7)
    ]


def test_an_index_that_covers_a_table_changes_nothing_about_the_order_of_its_rows(build, evidence: Path) -> None:
    rows = ", ".join(f"({900 - at})" for at in range(900))
    build("CREATE TABLE t (v)", "CREATE INDEX i ON t (v)", f"INSERT INTO t VALUES {rows}", "ANALYZE")
    parsed = parse(evidence)
    assert parsed.places("t", "source_row") == list(range(1, 901))
    assert values(parsed, "t", "v") == list(range(900, 0, -1))


def test_a_table_too_wide_to_be_given_is_named_as_such(build) -> None:
    names = ", ".join(f"c{at}" for at in range(2000))
    parsed = parse(build(f"CREATE TABLE wide ({names})", "INSERT INTO wide (c0) VALUES (1)", "CREATE TABLE t (v)"))
    (entry,) = parsed.rejected
    assert (entry.output, entry.code) == ("wide", "cf.sqlite.unreadable") and "2,000 columns" in entry.message
    assert parsed.outputs() == ["t"]


def test_a_database_of_more_tables_than_a_file_may_have_is_refused(build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MOST_TABLES", 3)
    assert parse(build(*[f"CREATE TABLE t{at} (v)" for at in range(3)])).outputs() == ["t0", "t1", "t2"]
    with pytest.raises(PermanentError, match="4 tables"):
        parse(build("CREATE TABLE more (v)"))


def pages_in_turn(evidence: Path) -> list[int]:
    return list(range(evidence.stat().st_size // 4096))


@pytest.mark.parametrize("damage", ["zeroed", "overwritten", "kind"])
def test_each_page_in_turn_may_be_damaged_and_what_is_lost_is_told(build, evidence: Path, damage: str) -> None:
    rows = ", ".join(f"({at}, '{'x' * 300}')" for at in range(1, 101))
    long = ", ".join(f"('{str(at) * 9000}')" for at in range(1, 4))
    build(
        *("CREATE TABLE one (id INTEGER PRIMARY KEY, v)", f"INSERT INTO one VALUES {rows}"),
        *("CREATE TABLE two (v)", "CREATE INDEX i ON two (v)", "INSERT INTO two VALUES (1), (2), (3)"),
        *("CREATE TABLE long (v)", f"INSERT INTO long VALUES {long}"),
    )
    whole, counts = evidence.read_bytes(), {"one": 100, "two": 3, "long": 3}
    harmless = refused = 0
    for page in pages_in_turn(evidence):
        data = bytearray(whole)
        start = page * 4096 + 100 * (page == 0)  # the header of the file itself stays
        length = {"zeroed": 4096 - start % 4096, "overwritten": 200, "kind": 1}[damage]
        data[start : start + length] = bytes([0 if damage == "zeroed" else 0xC3]) * length
        evidence.write_bytes(data)
        try:
            parsed = parse(evidence)
        except PermanentError:
            refused += 1
            assert page == 0  # the list of tables
            continue
        for table, count in counts.items():
            read = parsed.places(table, "source_row") if table in parsed.outputs() else []
            told = [entry for entry in parsed.rejected if entry.output == table]
            assert len(set(read)) == len(read) and set(read) <= set(range(1, count + 1)), (page, table)
            if damage == "zeroed" and table == "long" and not told:
                continue  # zeros in the middle of a long text are a text
            assert len(read) == count or told, f"page {page}: rows of {table} are lost and nobody said so"
            assert len(told) <= 1
        harmless += not parsed.rejected
    assert refused <= 1 and harmless < len(whole) // 4096


def test_batches_are_bounded_by_the_bytes_of_their_rows(build) -> None:
    parsed = parse(build("CREATE TABLE t (b)", *["INSERT INTO t VALUES (randomblob(4000000))" for _ in range(10)]))
    sizes = [rows.data.num_rows for rows in parsed.batches]
    assert sum(sizes) == 10 and max(sizes) <= 4


@pytest.mark.parametrize(
    "data", [b"", b"SQLite format 2\0" * 300, b"\x8f" * 5000, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_what_is_no_readable_database_is_refused(evidence: Path, data: bytes) -> None:
    evidence.write_bytes(data)
    with pytest.raises(PermanentError):
        parse(evidence)


def test_a_list_of_tables_that_is_not_text_is_refused(build) -> None:
    path = build("CREATE TABLE plain (a INTEGER CHECK (a > 0))")
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE plain", b"CREATE \xa5ABLE plain"))
    with pytest.raises(PermanentError):
        parse(path)
