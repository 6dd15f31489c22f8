"""One file from Python: what comes back, what is refused, and that nothing stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import casparian_flow as cf
from casparian_flow.core.errors import (
    NoParser,
    NotFound,
    ParserCrashed,
    ParserInvalid,
    ParserRaised,
    ParserTimedOut,
    SinkUnavailable,
    SourceUnreadable,
    UsageError,
)

pytestmark = pytest.mark.usefixtures("warm_guests")

SOURCE = Path(__file__).parents[3] / "src"
ORDERS = "id;name;day;price;code\n1;Zoë;31.01.2024;1.5;007\n2;Bo;01.02.2024;2.25;010\n3;torn\n4;Kim;02.02.2024;;x\n"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of our own, empty again after every test."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders_2024-02.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def a_parser(folder: Path, body: str, head: str = "") -> Path:
    path = folder / "mine.py"
    path.write_text(f"import os, sys, time\n{head}\ndef parse(path):\n    {body}\n", encoding="utf-8")
    return path


def test_a_file_becomes_its_tables_with_types_in_source_order(orders: Path) -> None:
    result = cf.read(orders)
    assert result.table is result.tables["orders"]
    assert [(field.name, str(field.type)) for field in result.table.schema] == [
        ("id", "int64"),
        ("name", "string"),
        ("day", "date32[day]"),
        ("price", "double"),
        ("code", "string"),
    ]
    assert result.table["id"].to_pylist() == [1, 2, 4]
    assert result.table["price"].to_pylist() == [1.5, 2.25, None]
    assert result.table["code"].to_pylist() == ["007", "010", "x"]
    assert (result.emitted, result.accepted, result.quarantined) == (4, 3, 1)
    assert result.contracts["orders"].columns[2].format == "%d.%m.%Y"
    assert "int64: row 1 is '007'" in result.reasons["orders"]["code"]
    assert {each.name: each.value for each in result.verdicts}["delimiter"] == ";"
    assert repr(result).startswith("orders_2024-02.csv read by delimited@")


def test_what_did_not_fit_says_where_and_why(orders: Path) -> None:
    (torn,) = cf.read(orders).quarantine
    assert (torn.table, torn.row, torn.code, torn.raw) == ("orders", 3, "cf.csv.arity", b"3;torn\n")
    assert ORDERS.encode()[torn.start : torn.end] == torn.raw
    assert [fault.code for fault in torn.faults] == ["cf.csv.arity"]


def test_rejected_rows_are_a_sequence_and_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "".join(f"{n},{n}\n" if n % 3 else f"{n}\n" for n in range(1, 3001)))
    quarantine = cf.read(path).quarantine
    rows = [each.row for each in quarantine]
    assert rows == list(range(3, 3001, 3)) == [each.row for each in quarantine[:]]
    assert (quarantine[0].row, quarantine[-1].row, [each.row for each in quarantine[1:3]]) == (3, 3000, [6, 9])
    with pytest.raises(IndexError):
        quarantine[1000]
    assert quarantine.to_arrow()["_cf_source_row"].to_pylist() == rows
    assert repr(quarantine) == "<Quarantine of 1000 rows: 1000 cf.csv.arity>"


def test_lineage_numbers_the_rows_of_the_source(orders: Path) -> None:
    assert cf.read(orders, lineage=True).table["_cf_source_row"].to_pylist() == [1, 2, 4]


def test_options_are_the_parsers_own(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_bytes("a;b\n1;é\n".encode("cp1252"))
    assert cf.read(path, header=False, delimiter=";", encoding="cp1252").table.to_pylist() == [
        {"column_1": "a", "column_2": "b"},
        {"column_1": "1", "column_2": "é"},
    ]
    assert cf.read(path, header=None).table.num_rows == 1
    with pytest.raises(UsageError, match="no option delimeter") as caught:
        cf.read(path, delimeter=";")
    assert "delimiter" in caught.value.why
    with pytest.raises(UsageError, match="cannot be a list"):
        cf.read(path, null=["x"])


def test_a_table_has_the_name_that_is_asked_for_if_it_can(orders: Path) -> None:
    assert list(cf.read(orders, table="sales").tables) == ["sales"]
    for name in ("../x", "cf_jobs", "A", "_cf_x", ""):
        with pytest.raises(UsageError):
            cf.read(orders, table=name)


def test_several_tables_have_no_only_one(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text(
        "".join(f"{n},a{n}\n" for n in range(20)) + "\n" + "x;y;z\n" + "".join(f"{n};b;c\n" * 1 for n in range(20))
    )
    result = cf.read(path)
    assert len(result.tables) == 2
    with pytest.raises(UsageError, match="there are 2 tables") as caught:
        result.table  # noqa: B018
    assert "two" in caught.value.why


def test_a_parser_is_given_by_path_and_may_declare_its_tables(tmp_path: Path, orders: Path) -> None:
    head = (
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        'MANIFEST = PluginMetadata(outputs={"things": [Column("n", "int64"), Column("t", "string")]})\n'
    )
    parser = a_parser(tmp_path, 'yield "things", {"n": ["1", "x"], "t": ["a", "b"], "more": ["p", "q"]}', head)
    for asked in (parser, str(parser)):
        result = cf.read(orders, asked)
        assert result.table.to_pylist() == [
            {"n": 1, "t": "a", "_cf_rescued": [{"column": "more", "raw": "p", "code": "cf.column.new"}]}
        ]
        assert result.quarantine[0].values == {"n": "x", "t": "b", "more": "q"}
        assert [(fault.code, fault.column, fault.observed) for fault in result.quarantine[0].faults] == [
            ("cf.cast.int64", "n", "x")
        ]


def test_an_undeclared_output_is_quarantined_and_is_no_table(tmp_path: Path, orders: Path) -> None:
    head = (
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        'MANIFEST = PluginMetadata(outputs={"things": [Column("n", "int64")]})\n'
    )
    result = cf.read(orders, a_parser(tmp_path, 'yield "others", {"n": [1, 2]}', head))
    assert result.tables == {}
    assert [each.code for each in result.quarantine] == ["cf.output.undeclared"] * 2
    with pytest.raises(NotFound, match="no table"):
        result.table  # noqa: B018


def test_a_header_without_rows_is_no_table_yet(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("a,b,c\n")
    result = cf.read(path)
    assert (result.tables, result.emitted, len(result.quarantine)) == ({}, 0, 0)
    assert repr(result.quarantine) == "<Quarantine of 0 rows>"
    with pytest.raises(NotFound, match="no table") as caught:
        result.table  # noqa: B018
    assert caught.value.why == "the file holds no rows"


def test_a_declared_table_is_there_without_a_row(tmp_path: Path, orders: Path) -> None:
    head = (
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        'MANIFEST = PluginMetadata(outputs={"things": [Column("n", "int64"), Column("t", "string")]})\n'
        "import pyarrow as pa\n"
    )
    body = 'yield "things", pa.table({"n": pa.array([], pa.int64()), "t": pa.array([], pa.string())})'
    table = cf.read(orders, a_parser(tmp_path, body, head)).table
    assert (table.num_rows, table.column_names, str(table.schema.field("n").type)) == (0, ["n", "t"], "int64")


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"\x89PNG\r\n\x1a\n" + bytes(60), "binary"), (b"PK\x03\x04" + bytes(60), "binary")],
)
def test_content_that_nothing_reads_is_named(content: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "thing.csv"
    path.write_bytes(content)
    with pytest.raises(NoParser, match=r"no parser reads thing\.csv") as caught:
        cf.read(path)
    assert f"content is {kind}" in caught.value.why


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file"):
        cf.read(tmp_path / "missing.csv")
    with pytest.raises(UsageError, match="is not a file"):
        cf.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is not a file"):
        cf.read(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises((SourceUnreadable, NotFound)):
        cf.read(tmp_path / "loop")
    with pytest.raises(UsageError, match="NUL"):
        cf.read("a\0b")
    with pytest.raises(UsageError, match="not bytes"):
        cf.read(b"a,b\n1,2\n")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="not BytesIO"):
        import io

        cf.read(io.BytesIO(b"a,b\n1,2\n"))  # type: ignore[arg-type]


def test_a_parser_that_there_is_not_is_named(orders: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no parser nope"):
        cf.read(orders, "nope")
    with pytest.raises(ParserInvalid):
        cf.read(orders, a_parser(tmp_path, "return 1 +"))


def test_a_link_is_followed_and_gives_its_own_name(orders: Path, tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(orders)
    assert list(cf.read(tmp_path / "link.csv").tables) == ["link"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("raise ValueError('no')", ParserRaised),
        ("os.abort()", ParserCrashed),
        ("os._exit(0)", ParserCrashed),
        ("yield 'a', {'n': [1]}; sys.exit(3)", ParserRaised),
    ],
)
def test_a_parser_that_fails_raises_its_kind(body: str, error: type[Exception], orders: Path, tmp_path: Path) -> None:
    with pytest.raises(error):
        cf.read(orders, a_parser(tmp_path, body))


def test_a_parser_that_never_ends_is_stopped(orders: Path, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    body = f"open({str(marker)!r}, 'w').write(str(os.getpid())); yield 'a', {{'n': [1]}}; time.sleep(1000)"
    with pytest.raises(ParserTimedOut):
        cf.read(orders, a_parser(tmp_path, body), limits=cf.Limits(job_seconds=1.0))
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)


def test_what_the_parser_prints_is_kept(orders: Path, tmp_path: Path) -> None:
    result = cf.read(orders, a_parser(tmp_path, "print('seen'); yield 'a', {'n': [1]}"))
    assert result.printed == ["seen"]


def test_a_file_that_changes_meanwhile_gives_nothing(orders: Path, tmp_path: Path) -> None:
    body = f"yield 'a', {{'n': [1]}}; open({str(orders)!r}, 'a').write('more')"
    with pytest.raises(cf.CasparianError) as caught:
        cf.read(orders, a_parser(tmp_path, body))
    assert caught.value.code == "source-changed"


def test_a_file_that_vanishes_meanwhile_is_said(orders: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        cf.read(orders, a_parser(tmp_path, f"os.unlink({str(orders)!r}); yield 'a', {{'n': [1]}}"))


def test_names_and_headers_with_escapes_are_shown_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\nb.csv"
    path.write_text("x\x1b[0m,y\n1,2\n", encoding="utf-8")
    result = cf.read(path)
    assert "\x1b" not in repr(result)
    assert result.table.column_names[0] == "x\x1b[0m"
    with pytest.raises(NotFound) as caught:
        cf.read(tmp_path / "\x1b[31m")
    assert "\x1b" not in str(caught.value)


def test_a_tilde_is_a_letter_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "~$orders.csv").write_text("a,b\n1,2\n")
    (tmp_path / "own.csv").write_text("a,b\n1,2\n3,4\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cf.read("~$orders.csv").table.num_rows == 1
    assert cf.read("~/own.csv").table.num_rows == 2


def test_a_name_that_is_not_text_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.csv"))
    path.write_text("a,b\n1,2\n")
    result = cf.read(path)
    assert result.table.num_rows == 1
    assert repr(result)


def test_reading_needs_no_place_that_can_be_written_to(orders: Path) -> None:
    orders.chmod(0o400)
    orders.parent.chmod(0o555)
    try:
        assert cf.read(orders).table.num_rows == 3
    finally:
        orders.parent.chmod(0o755)


def test_no_room_for_rows_is_said(orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(SinkUnavailable, match="cannot be kept"):
        cf.read(orders)


def test_several_threads_read_at_once(orders: Path) -> None:
    found: list[pa.Table] = []
    threads = [threading.Thread(target=lambda: found.append(cf.read(orders).table)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all(table.equals(found[0]) for table in found)


def test_it_works_inside_a_running_event_loop(orders: Path) -> None:
    import asyncio

    async def main() -> int:
        return int(cf.read(orders).table.num_rows)

    assert asyncio.run(main()) == 3


IN_A_GONE_FOLDER = """
import os, sys, tempfile
import casparian_flow as cf
folder = tempfile.mkdtemp()
os.chdir(folder)
os.rmdir(folder)
print(cf.read(sys.argv[1], "delimited").table.num_rows)
try:
    cf.read("orders.csv")
except cf.CasparianError as error:
    print(error)
"""


def a_process(code: str, *arguments: str, **options: str) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], **options}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )


def test_it_works_where_the_working_folder_is_gone(orders: Path) -> None:
    out, _ = a_process(IN_A_GONE_FOLDER, str(orders)).communicate(timeout=60)
    assert out.split("\n")[:2] == ["3", "a relative path leads nowhere: the working folder is gone"]


INTERRUPTED = """
import sys
import casparian_flow as cf
try:
    cf.read(sys.argv[1], sys.argv[2])
except KeyboardInterrupt:
    print("stopped")
"""


def test_an_interrupt_ends_the_guest_and_leaves_nothing(orders: Path, tmp_path: Path) -> None:
    marker, scratch = tmp_path / "pid", tmp_path / "elsewhere"
    scratch.mkdir()
    body = f"yield 'a', {{'n': [1]}}; open({str(marker)!r} + '.new', 'w').write(str(os.getpid())); "
    body += f"os.rename({str(marker)!r} + '.new', {str(marker)!r}); time.sleep(1000)"
    process = a_process(INTERRUPTED, str(orders), str(a_parser(tmp_path, body)), TMPDIR=str(scratch))
    while not marker.exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out == "stopped\n"
    with pytest.raises(ProcessLookupError):
        os.kill(int(marker.read_text()), 0)
    assert list(scratch.iterdir()) == []


def test_tables_outlive_everything_else(orders: Path, scratch: Path) -> None:
    table = cf.read(orders).table
    assert list(scratch.iterdir()) == []
    assert table["name"].to_pylist() == ["Zoë", "Bo", "Kim"]


def imported(after: str) -> str:
    """Which of the large libraries are there after an expression."""
    large = "{'duckdb', 'msgspec', 'numpy', 'pandas', 'pyarrow', 'sqlalchemy'}"
    code = f"import casparian_flow as cf, sys; {after}; print(*sorted({large} & set(sys.modules)))"
    return a_process(code).communicate(timeout=60)[0].strip()


def test_the_import_is_light_and_every_name_is_there() -> None:
    code = "import casparian_flow as cf, sys; print(sorted({'pyarrow', 'duckdb', 'sqlalchemy', 'msgspec', 'numpy'} & "
    code += (
        "set(sys.modules)), [name for name in cf.__all__ if not hasattr(cf, name)], set(cf.__all__) <= set(dir(cf)))"
    )
    out, _ = a_process(code).communicate(timeout=60)
    assert out == "[] [] True\n"
    with pytest.raises(AttributeError):
        cf.nothing  # noqa: B018


def test_reading_a_file_imports_no_database() -> None:
    assert imported("cf.read") == "msgspec numpy pyarrow"


def test_the_package_says_that_it_is_typed() -> None:
    assert (SOURCE / "casparian_flow" / "py.typed").is_file()
