"""Writes the cases of the event log and SQLite parsers anew when run: inputs and expected rows."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from evtx_writer import CHUNK, HEADER, RECORDS, T0, Element, Event, chunk_of, log_of, logons
from shipped_parser import PARSERS, load_shipped_parser, run_parser

EVTX, SQLITE = "windows/evtx", "database/sqlite"


def sound_log() -> bytes:
    """Events of several channels, with named, positional and repeated data, and one that was forwarded."""
    xml = Element("EventXML", (), (Element("User", (), ("CORP\\ann",)), Element("Address", (), ("10.0.0.9",))))
    events = [
        *logons(2),
        Event(
            4688,
            [
                ("SubjectUserName", "ann"),
                ("SubjectDomainName", "CORP"),
                ("NewProcessName", "C:\\Windows\\cmd.exe"),
                ("CommandLine", 'cmd /c "echo hi"'),
            ],
            time=T0 + 30_000_007,
        ),
        Event(
            7045,
            [("ServiceName", "evil"), ("ImagePath", "%TEMP%\\e.exe"), ("AccountName", "LocalSystem")],
            channel="System",
            provider="Service Control Manager",
        ),
        Event(
            21,
            channel="Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
            body="UserData",
            children=(xml,),
        ),
        Event(1000, [("", "first"), ("", "second")], channel="Application", provider="Application Error", level=2),
        Event(99, [("name", "one"), ("other", "two"), ("name", "three")], channel="Application", time=0),
        Event(4624, [("TargetUserName", "far")], computer="ELSEWHERE", record_id=90210),
    ]
    return log_of([chunk_of(events)], next_id=9)


def damaged_log() -> bytes:
    """A wiped file header, a record without size, a zeroed chunk and a file that ends inside a record."""
    data = bytearray(log_of([chunk_of(logons(4, 1 + 4 * at), 1 + 4 * at) for at in range(3)]))
    data[:HEADER] = bytes(HEADER)
    second = HEADER + RECORDS + struct.unpack_from("<I", data, HEADER + RECORDS + 4)[0]
    data[second + 4 : second + 8] = bytes(4)
    data[HEADER + CHUNK : HEADER + 2 * CHUNK] = bytes(CHUNK)
    return bytes(data[: HEADER + 2 * CHUNK + RECORDS + 1900])


def overwritten_magic_log() -> bytes:
    """A chunk whose magic is gone and whose checksum proves the rest."""
    data = bytearray(log_of([chunk_of(logons(2))]))
    data[HEADER : HEADER + 8] = b"\xff" * 8
    return bytes(data)


EVTX_CASES: dict[str, Callable[[], bytes]] = {
    "sound": sound_log,
    "damaged": damaged_log,
    "overwritten_magic": overwritten_magic_log,
}


def make_types(path: Path) -> None:
    """Every storage class, a mixture, odd names, a table without rowid, text that is not UTF-8."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute('CREATE TABLE kinds (i INTEGER, r REAL, s TEXT, b BLOB, mixed, "_cf_job_id" TEXT)')
        connection.execute("INSERT INTO kinds VALUES (1, 1.5, '007', x'00ff', 1, 'a'), (2, 2.0, 'é', x'', 'one', 'b')")
        connection.execute("INSERT INTO kinds (rowid, i, mixed) VALUES (10, NULL, x'cafe'), (11, 3, 0.5)")
        connection.execute("INSERT INTO kinds (rowid, s) VALUES (12, CAST(x'ff' AS TEXT))")
        connection.execute("CREATE TABLE keyed (k TEXT PRIMARY KEY, v) WITHOUT ROWID")
        connection.execute("INSERT INTO keyed VALUES ('b', 1), ('a', 2)")
        connection.execute("CREATE VIEW seen AS SELECT * FROM keyed")


def make_wal(path: Path) -> None:
    """A database of which the last rows are in the WAL beside it only."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(sqlite3.connect(f"{folder}/live", isolation_level=None)) as live,
    ):
        live.execute("PRAGMA page_size = 512")
        live.execute("PRAGMA journal_mode = WAL")
        live.execute("CREATE TABLE visits (url TEXT)")
        live.execute("INSERT INTO visits VALUES ('https://in.the/database')")
        live.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        live.execute("INSERT INTO visits VALUES ('https://in.the/wal')")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{folder}/live{suffix}", f"{path}{suffix}")


def make_damaged(path: Path) -> None:
    """One page of a table overwritten, another table sound."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE notes (text TEXT)")
        connection.executemany("INSERT INTO notes VALUES (?)", [(f"note {at} " + "." * 120,) for at in range(1, 13)])
        connection.execute("CREATE TABLE sound (v INTEGER)")
        connection.execute("INSERT INTO sound VALUES (1)")
    data = bytearray(path.read_bytes())
    page = data.index(b"note 7 ") // 512
    data[page * 512 : page * 512 + 40] = b"\xff" * 40
    path.write_bytes(data)


SQLITE_CASES: dict[str, Callable[[Path], None]] = {"types": make_types, "wal": make_wal, "damaged": make_damaged}


def main() -> None:
    for name, build in EVTX_CASES.items():
        _case(EVTX, name, "input.evtx").write_bytes(build())
    for name, make in SQLITE_CASES.items():
        make(_case(SQLITE, name, "input.db"))
    os.chdir(tempfile.mkdtemp())
    for parser in (EVTX, SQLITE):
        module = load_shipped_parser(parser)
        for case in sorted((PARSERS / parser / "cases").iterdir()):
            records = run_parser(module, next(case.glob("input.*[!l]"))).records()
            lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
            (case / "expected.jsonl").write_text("".join(lines), encoding="utf-8")


def _case(parser: str, name: str, file: str) -> Path:
    folder = PARSERS / parser / "cases" / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    return folder / file


if __name__ == "__main__":
    main()
