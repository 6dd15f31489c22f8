"""Files made to break a reader: each ends with a stable code or a named loss, in bounded memory, and spares all others.

Every test puts a good file beside the hostile ones and runs the command in a process of its own; the largest of its
processes, guests among them, is measured.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from evtx_writer import chunk_of, log_of, logons
from product import Product

GOOD_ROWS = 1000
GOOD = "id,name\n" + "".join(f"{at},n{at}\n" for at in range(GOOD_ROWS))
MEMORY_MB = 700
"""Most resident memory of any one process of the command. Nothing hostile, it takes about 130 MB."""
MEBIBYTE = 1 << 20
MEASURE = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code if code >= 0 else 128 - code)
"""
"""Starts a command and writes down what the largest of its processes took. A child begins with what its parent took, so
that is not the process of the tests."""


@dataclass(frozen=True)
class Landed:
    """What a run came to: its reply, what is in the tables, and the memory of its largest process."""

    reply: dict[str, Any]
    rejected: dict[str, Counter[str]]
    """By table, how many rejections of each code."""
    memory_mb: int

    @property
    def failures(self) -> dict[str, str]:
        return {each["path"]: each["code"] for each in self.reply["failures"]}

    @property
    def accepted(self) -> dict[str, int]:
        return {each["table"]: each["accepted"] for each in self.reply["tables"]}


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    """A folder with one good file."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "good.csv").write_text(GOOD)
    return folder


@pytest.fixture
def land(product: Product, evidence: Path, tmp_path: Path) -> Callable[..., Landed]:
    """Runs the folder, and checks what holds for all of it: the good file is whole, and memory was bounded."""

    def land(*options: str, expect: int) -> Landed:
        measured = tmp_path / "measured"
        measuring = Product(product.home, through=(sys.executable, "-I", "-S", "-c", MEASURE, str(measured)))
        answer = measuring("run", str(evidence), "--json", *options, expect=[expect])
        landed = Landed(
            reply=answer.json,
            rejected={name: codes(product, name) for name in product.tables(Role.QUARANTINE)},
            memory_mb=int(measured.read_text()) >> 10,
        )
        assert landed.accepted["good"] == product.table("good").num_rows == GOOD_ROWS, "the good file is not whole"
        assert landed.memory_mb < MEMORY_MB
        assert landed.reply["quarantined"] == sum(each.total() for each in landed.rejected.values())
        return landed

    return land


def codes(product: Product, table: str) -> Counter[str]:
    return Counter(product.table(table, Role.QUARANTINE)["code"].to_pylist())


def spread(path: Path, head: bytes, piece: bytes, times: int, tail: bytes) -> None:
    """A large file whose middle repeats itself."""
    with path.open("wb") as file:
        file.write(head)
        for _ in range(times):
            file.write(piece)
        file.write(tail)


@pytest.mark.slow
def test_archives_are_named_and_never_opened(land: Callable[..., Landed], product: Product, evidence: Path) -> None:
    with gzip.open(evidence / "zeros.csv.gz", "wb") as file:
        for _ in range(64):
            file.write(bytes(MEBIBYTE))
    (evidence / "disguised.csv").write_bytes(gzip.compress(b"a,b\n" * MEBIBYTE))
    with zipfile.ZipFile(evidence / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", "1,2\n" * (16 * MEBIBYTE))
    with tarfile.open(evidence / "rows.tar", "w") as archive:
        member = tarfile.TarInfo("../../rows.csv")
        member.size = len(GOOD)
        archive.addfile(member, io.BytesIO(GOOD.encode()))

    landed = land(expect=0)

    assert landed.reply["skipped"] == {"no_parser": 4} and landed.accepted == {"good": GOOD_ROWS}
    assert landed.memory_mb < 200
    reasons = {each["path"]: each["detail"] for each in product("files", "--json", expect=[0]).json["files"]}
    for name, kind in {"zeros.csv.gz": "gzip", "disguised.csv": "gzip", "bomb.zip": "zip", "rows.tar": "tar"}.items():
        assert reasons[name] == f"content is binary: {kind}: archives and compressed files are read in a later release"


def test_every_small_hostile_file_is_named_and_costs_no_other_file_a_row(
    land: Callable[..., Landed], product: Product, evidence: Path
) -> None:
    """Wide, deep, torn, mislabelled: one folder with all of them."""
    wide, depth = 1_000_000, 100_000
    line = ",".join(["1"] * wide) + "\n"
    files: dict[str, bytes | str] = {
        "wide.csv": ",".join(f"c{at}" for at in range(wide)) + "\n" + 2 * line,
        "heading.csv": "a," + "h" * (2 * MEBIBYTE) + "\n1,2\n3,4\n",
        "nul.csv": b"a,b\n1,x\0y\n2,z\n3,\0\n" + b"4,w\n" * 200,
        "only_nul.csv": bytes(100_000),
        "broken.csv": b"a,b\n1,x\n2,\xff\xfe\n3,\xc3\n" + b"4,\xc3\xa9\n" * 200,
        "text.txt": b"plain\n" + b"\xc3\x28 broken\n" + "é plain\n".encode() * 30,
        "deep.json": "[" * depth + "]" * depth,
        "inside.json": '[{"a":1},' + '{"a":' * depth + "1" + "}" * depth + ',{"a":2}]',
        "lines.jsonl": '{"a":1}\n' + '{"a":' * depth + "1" + "}" * depth + '\n{"a":2}\n',
        "open.json": '{"a":' * depth,
        "keys.jsonl": json.dumps({f"k{at}": 1 for at in range(50_000)}) + '\n{"k1":1}\n',
        "half.jsonl": b'{"b":1}\n{"b":"\xff"}\n{"b":"\\ud800"}\n{"b":"\\u0000"}\n',
        "number.jsonl": '{"n":1}\n{"n":' + "9" * 1_000_000 + "}\n",
        "fake.db": b"SQLite format 3\0" + b"\xff" * 5000,
        "fake.evtx": b"ElfFile\0" + b"\xff" * 5000,
    }
    for name, data in files.items():
        (evidence / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    (evidence / "log.evtx").write_bytes(damaged_log())
    torn_database(evidence / "torn.db")

    landed = land(expect=3)

    refused = {"wide.csv", "heading.csv", "fake.db"}
    assert landed.failures == dict.fromkeys(refused, "parser-refused")
    assert landed.reply["skipped"] == {"no_parser": 1}  # only_nul.csv
    syntax, cut = "cf.json.syntax", "cf.json.truncated"
    assert landed.rejected["nul"] == {"cf.csv.nul": 2} and landed.accepted["nul"] == 201
    assert landed.rejected["broken"] == {"cf.csv.encoding": 2} and landed.accepted["broken"] == 201
    assert landed.rejected["log_lines"].total() == 1 and landed.accepted["log_lines"] == 31
    assert landed.rejected["deep"] == {syntax: 1}
    assert landed.rejected["inside"] == {syntax: 1} and landed.accepted["inside"] == 2
    assert landed.rejected["lines"] == {syntax: 1} and landed.accepted["lines"] == 2
    assert landed.rejected["open"] == {cut: 1}
    assert landed.rejected["keys"] == {"cf.json.keys": 1} and landed.accepted["keys"] == 1
    assert landed.rejected["half"] == {"cf.json.encoding": 1, syntax: 1} and landed.accepted["half"] == 2
    assert landed.accepted["number"] == 2 and "number" not in landed.rejected
    assert landed.accepted["torn__sound"] == 1 and landed.rejected["torn__big"] == {"cf.sqlite.corrupt": 1}
    assert landed.accepted["evtx_events"] == 5
    assert landed.rejected["evtx_events"].total() >= 2


def damaged_log() -> bytes:
    """Two chunks of five records, the second overwritten."""
    data = bytearray(log_of([chunk_of(logons(5, 1), 1), chunk_of(logons(5, 6), 6)], next_id=11))
    data[4096 + 65536 :] = b"\xcc" * 65536
    return bytes(data)


def torn_database(path: Path) -> None:
    """A sound table, and one with a page overwritten."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE sound (v)")
        connection.execute("INSERT INTO sound VALUES (1)")
        connection.execute("CREATE TABLE big (v)")
        connection.executemany("INSERT INTO big VALUES (?)", [("x" * 400,)] * 400)
    data = bytearray(path.read_bytes())
    page = data.index(b"x" * 400, len(data) // 2) // 4096
    data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(data)


def test_whatever_a_file_is_called_it_is_read_and_shown_inert(
    land: Callable[..., Landed], product: Product, evidence: Path
) -> None:
    names = [
        *(b"new\nline.csv", b"esc\x1b[31m.csv", b"x" * 251 + b".csv", b"bad\xff\xfe.csv", b"-rf.csv", b"a;b'c\".csv"),
        *(b" .csv", "\u202egpj.csv".encode(), b"%s%n.csv", b".hidden.csv", b"\x7f\x01.csv", b"$(id).csv"),
    ]
    for at, name in enumerate(names):
        Path(os.fsdecode(os.fsencode(evidence) + b"/" + name)).write_text(f"q,r\n{at},2\n{at},4\n")

    landed = land(expect=0)

    assert landed.reply["files"] == len(names) + 1 == landed.reply["completed"]
    assert landed.reply["accepted"] == GOOD_ROWS + 2 * len(names)
    shown = product("files", expect=[0]).out
    assert not any(mark in shown for mark in ("\x1b", "\x7f", "\u202e", "\udcff"))
    assert "bad\\xff\\xfe.csv" in shown


LONG_MB = int(os.environ.get("HOSTILE_MB", "160"))
"""Mebibytes of a single line: whoever kept it would take more memory than is allowed. HOSTILE_MB=1100 tries more than a
gigabyte."""
LONG = {
    "line.csv": (b"a,b\n1,2\n", b"\n3,4\n", "cf.csv.oversize", 2),
    "first.csv": (b"a,", b"\n1;2\n3;4\n", "cf.csv.oversize", 2),
    "line.jsonl": (b'{"a":1}\n{"a":"', b'"}\n{"a":3}\n', "cf.json.too_long", 2),
    "line.json": (b'[{"a":1},{"a":"', b'"},{"a":3}]\n', "cf.json.too_long", 1),
    "line.txt": (b"first\n", b"\nlast\n", "cf.text.too_long", 2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_a_line_of_more_than_a_hundred_megabytes_is_one_rejection(
    name: str, land: Callable[..., Landed], product: Product, evidence: Path
) -> None:
    head, tail, code, kept = LONG[name]
    with (evidence / name).open("wb") as file:
        file.write(head)
        for _ in range(LONG_MB):
            file.write(b"x y " * (MEBIBYTE // 4))
        file.write(tail)

    landed = land(expect=3)

    (table,) = landed.rejected
    assert landed.rejected[table] == {code: 1} and landed.accepted[table] == kept
    entry = product.table(table, Role.QUARANTINE).select(["start", "end", "raw"]).to_pylist()[0]
    assert entry["end"] - entry["start"] >= LONG_MB * MEBIBYTE and len(entry["raw"]) <= MEBIBYTE
    assert landed.memory_mb < 250


REJECTED_ROWS = int(os.environ.get("HOSTILE_ROWS", "100000"))
"""HOSTILE_ROWS=1000000 tries a million."""


@pytest.mark.slow
def test_each_of_a_hundred_thousand_rejected_rows_is_an_entry(land: Callable[..., Landed], evidence: Path) -> None:
    (evidence / "short.csv").write_text("a,b,c\n" + "1,2,3\n" * 1000 + "1,2\n" * REJECTED_ROWS)
    landed = land(expect=3)
    assert landed.rejected["short"] == {"cf.csv.arity": REJECTED_ROWS} and landed.accepted["short"] == 1000


@pytest.mark.slow
def test_thousands_of_tiny_tables_in_a_file_stay_within_bounds(land: Callable[..., Landed], evidence: Path) -> None:
    (evidence / "many.csv").write_text("".join(f"k{at},v{at}\na,{at}\nb,{at}\n\n" for at in range(8_000)))
    with closing(sqlite3.connect(evidence / "many.db")) as connection, connection:
        connection.execute("BEGIN")
        for at in range(4_097):
            connection.execute(f"CREATE TABLE t{at} (v)")
    landed = land(expect=3)
    assert landed.failures == {"many.db": "parser-refused"}
    assert landed.accepted["many"] >= 16_000


@pytest.mark.slow
def test_a_parser_that_yields_endless_outputs_is_ended_by_name(
    land: Callable[..., Landed], evidence: Path, tmp_path: Path
) -> None:
    parser = tmp_path / "endless.py"
    parser.write_text(
        "def parse(path):\n"
        "    if path.name == 'good.csv':\n"
        "        yield 'good', [{'n': n} for n in range(1000)]\n"
        "        return\n"
        "    n = 0\n"
        "    while True:\n"
        "        n += 1\n"
        "        yield f'o{n}', [{'n': n}]\n"
    )
    (evidence / "other.txt").write_text("x\n")
    landed = land("--parser", str(parser), expect=3)
    assert landed.failures == {"other.txt": "parser-raised"}
    assert landed.accepted == {"good": GOOD_ROWS}


@pytest.mark.slow
def test_rejections_with_as_much_text_as_they_may_have_are_not_held_together(
    land: Callable[..., Landed], product: Product, evidence: Path, tmp_path: Path
) -> None:
    parser = tmp_path / "talker.py"
    parser.write_text(
        "from casparian_flow.sdk import Rejected\n"
        "def parse(path):\n"
        "    if path.name == 'good.csv':\n"
        "        yield 'good', [{'n': n} for n in range(1000)]\n"
        "        return\n"
        "    for n in range(700):\n"
        "        yield Rejected('bad', 'c.talk', 'm' * 60000, n, n + 1, raw=b'r' * (1 << 20))\n"
    )
    (evidence / "other.txt").write_text("x\n")
    landed = land("--parser", str(parser), expect=3)
    assert landed.rejected["bad"] == {"c.talk": 700}
