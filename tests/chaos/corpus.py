"""Files by a seed: several for each table, damaged ones, a parser that is hard to stop, and changes meanwhile."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

ODD_PARSER = '''
"""Hard to stop: it ignores signals, forks, spins, prints, dawdles, or fails, as its file says."""

import signal
import subprocess
import time

from casparian_flow.sdk import Column, PluginMetadata

MANIFEST = PluginMetadata(outputs={"odd": [Column("n", "int64"), Column("how", "string")]})


def parse(path):
    how, rows, seconds = path.read_text().split()[:3]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if how == "forks":
        subprocess.Popen(["sleep", "3600"], start_new_session=True)
    for n in range(int(rows)):
        yield "odd", [{"n": n, "how": how}]
        until = time.monotonic() + float(seconds) / int(rows)
        while time.monotonic() < until:
            if how == "spins":
                sum(range(100_000))
            else:
                time.sleep(0.02)
            if how == "prints":
                print("still here", flush=True)
        if how == "fails":
            raise ValueError("as its file says")
'''


@dataclass
class Corpus:
    """A folder of files for the parsers that are shipped, and one for a parser that is hard to stop."""

    root: Path
    seed: int
    files: int = 5
    _random: Random = field(init=False)
    _made: int = 0

    def __post_init__(self) -> None:
        self._random = Random(f"corpus {self.seed}")

    @property
    def plain(self) -> Path:
        """The folder that any run reads."""
        return self.root / "plain"

    @property
    def odd(self) -> Path:
        """The folder that only the odd parser reads."""
        return self.root / "odd"

    @property
    def parser(self) -> Path:
        """The odd parser."""
        return self.root / "hard_to_stop.py"

    def make(self) -> None:
        """What is there before anything runs."""
        for folder in (self.plain, self.odd):
            folder.mkdir(parents=True)
        self.parser.write_text(ODD_PARSER)
        for number in range(self.files):
            self._write(self.plain / f"sales_2026-03-{number + 10}.csv", self._sales())
            self._write(self.plain / f"spans_{number}.csv", self._spans(number))
            self._write(self.plain / f"clicks_{number}.jsonl", self._clicks())
            self._write(self.odd / f"{number}.odd", self._odd())
        self._write(self.plain / "spans_7.csv", self._spans(0))
        self._write(self.plain / "app_2026-03-01.log", self._syslog())
        self._write(self.plain / "app_2026-03-02.log", self._syslog())
        self._write(self.plain / "again.csv", (self.plain / "sales_2026-03-10.csv").read_text())
        self._write(self.plain / "sales_2026-04-01.csv", self._sales() + "1,2.5,too,many,cells\n77\n")
        self._write(self.odd / "fails.odd", "fails 3 0.1")
        self._people()
        (self.plain / "torn.sqlite").write_bytes((self.plain / "people.sqlite").read_bytes()[:5000])
        (self.plain / "noise.csv").write_bytes(b"\x00\x01\x02" * 100)
        (self.plain / "empty.csv").write_bytes(b"")

    def change(self) -> str:
        """Add a file or change one, as if somebody else did; says which."""
        kind = self._random.choice(("add", "add", "edit", "grow", "odd"))
        if kind == "odd":
            path = self.odd / f"more_{self._made}.odd"
            self._write(path, self._odd())
        elif kind == "add":
            path = self.plain / f"sales_2027-{1 + self._made % 12:02}-{1 + self._made // 12:02}.csv"
            self._write(path, self._sales())
        else:
            path = self.plain / f"sales_2026-03-{10 + self._random.randrange(1, self.files)}.csv"
            text = self._sales() if kind == "edit" else path.read_text() + self._sales().partition("\n")[2]
            self._write(path, text)
        return f"{kind} {path.name}"

    def _write(self, path: Path, text: str) -> None:
        """Whole or not at all, so that what an undisturbed run sees does not depend on the moment."""
        beside = self.root / "being-written"
        beside.write_text(text)
        beside.replace(path)
        self._made += 1

    def _sales(self) -> str:
        rows = "".join(
            f"{self._random.randrange(10**6)},{self._random.randrange(10**6)}.25,{self._word()}\n"
            for _ in range(self._random.randrange(3, 40))
        )
        return f"id,amount,place\n{self._made},1.5,first\n{rows}"

    def _spans(self, number: int) -> str:
        """What its type is can only be said when every file was read."""
        cells = [("1", "2"), ("1.5", "x"), ("2", "2026-01-01"), ("", "7"), ("-3", "")][number % 5]
        rows = "".join(f"{self._made}{row},{cells[0]},{cells[1]}\n" for row in range(5))
        return f"key,wide,mixed\n{rows}"

    def _clicks(self) -> str:
        lines = [
            json.dumps({"at": f"2026-03-01T10:00:{row % 60:02}Z", "n": row, "by": self._word(), "file": self._made})
            for row in range(self._random.randrange(5, 30))
        ]
        return "\n".join(lines) + "\n"

    def _syslog(self) -> str:
        return "".join(
            f"Mar  1 10:{row % 60:02}:00 host{self._made} app[{row}]: {self._word()}\n"
            for row in range(self._random.randrange(5, 30))
        )

    def _odd(self) -> str:
        how = self._random.choice(("ignores", "forks", "spins", "prints"))
        return f"{how} {self._random.randrange(1, 9)} {self._random.uniform(0.1, 1.2):.2f} {self._made}"

    def _people(self) -> None:
        with closing(sqlite3.connect(self.plain / "people.sqlite")) as database:
            database.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT)")
            database.executemany("INSERT INTO person (name) VALUES (?)", [(self._word(),) for _ in range(400)])
            database.commit()

    def _word(self) -> str:
        return "".join(self._random.choices("abcdefghij", k=6))
