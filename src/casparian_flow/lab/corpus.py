"""Makes a small directory of messy files, the same every time, for the demo."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

CORPUS = "corpus"
EDITED = "orders_2026-03-01.csv"
NEW_LINE = "121,2026-03-29,north,7.25,paid"
"""A further line for the file `EDITED`."""
REGIONS = ("north", "south", "east", "west")
HOSTILE_NAME = "orders\x1b[31m red\n.csv"
"""A name with an escape sequence and a line break, as somebody who attacks a terminal would choose it."""
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")


def make_corpus(folder: Path) -> None:
    """Write the files into the folder, which is made if it is missing."""
    backup = folder / "backup"
    backup.mkdir(parents=True, exist_ok=True)
    orders = _orders(1, 40)
    _write(folder / EDITED, orders)
    _write(backup / EDITED, orders)
    _write(folder / "orders_2026-03-02.csv", _damaged(_orders(41, 40)))
    _write(folder / HOSTILE_NAME, _orders(81, 5))
    _write(folder / "prices.csv", _prices(30))
    (folder / "staff.csv").write_bytes(_lines(_staff(20)).encode("utf-16"))
    _write(folder / "events.jsonl", _events(50))
    _write(folder / "auth.log", _auth(30))
    _write(folder / "access.log", _access(30))
    _make_database(folder / "stock.db")
    _write(folder / "empty.csv", [])
    (folder / "photo.png").write_bytes(PNG)
    os.mkfifo(folder / "pipe")


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text(_lines(lines), encoding="utf-8")


def _lines(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _orders(first: int, count: int) -> list[str]:
    rows = [
        f"{number},2026-03-{1 + number % 28:02d},{REGIONS[number % 4]},{number * 7 % 50}.{number * 13 % 100:02d},paid"
        for number in range(first, first + count)
    ]
    return ["order_id,day,region,amount,note", *rows]


def _damaged(lines: list[str]) -> list[str]:
    """The lines with an uneven row, a row cut short, a quoted comma, and a quote that is never closed."""
    damaged = list(lines)
    damaged[5] += ",one,field,too,many"
    damaged[9] = damaged[9].rsplit(",", 2)[0]
    damaged[15] = damaged[15].removesuffix("paid") + '"paid, in part"'
    damaged[23] = damaged[23].removesuffix("paid") + '"paid by card'
    return damaged


def _prices(count: int) -> list[str]:
    """A file of the kind that spreadsheets write where the comma is the decimal mark."""
    return ["article;price;valid_from", *(f"A{n:03d};{n},50;{1 + n % 28:02d}.03.2026" for n in range(1, count + 1))]


def _staff(count: int) -> list[str]:
    return ["staff_id,name,joined", *(f"{n},Zoë Müller {n},20{10 + n % 15}-06-01" for n in range(1, count + 1))]


def _events(count: int) -> list[str]:
    """JSON Lines; one line is no JSON and the last was cut while it was written."""
    lines = [
        f'{{"at": "2026-03-02T10:{n:02d}:00Z", "user": "u{n % 7}", "action": "login", "ok": {str(n % 5 > 0).lower()}}}'
        for n in range(count)
    ]
    lines[20] = "Traceback (most recent call last):"
    lines[-1] = lines[-1][:30]
    return lines


def _auth(count: int) -> list[str]:
    return [
        f"Mar  2 10:{n:02d}:07 gate sshd[{4000 + n}]: Failed password for root from 203.0.113.{n} port {50000 + n} ssh2"
        for n in range(count)
    ]


def _access(count: int) -> list[str]:
    return [
        f'203.0.113.{n} - - [02/Mar/2026:10:{n:02d}:11 +0000] "GET /item/{n} HTTP/1.1" 200 {512 + n} "-" "curl/8.5.0"'
        for n in range(count)
    ]


def _make_database(path: Path) -> None:
    """A SQLite database whose newest rows stand only in its write-ahead log, as in evidence from a running machine."""
    with tempfile.TemporaryDirectory() as folder:
        live = Path(folder) / path.name
        connection = sqlite3.connect(live, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, stock INTEGER)")
            connection.executemany(
                "INSERT INTO items VALUES (?, ?, ?)", [(n, f"item {n}", n * 3) for n in range(1, 21)]
            )
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.executemany("INSERT INTO items VALUES (?, ?, ?)", [(n, f"item {n}", None) for n in (21, 22)])
            for suffix in ("", "-wal"):
                shutil.copyfile(f"{live}{suffix}", f"{path}{suffix}")
        finally:
            connection.close()
