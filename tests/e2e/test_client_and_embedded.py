"""A command that asks a sentinel writes the bytes and ends with the code of the same command without one."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from product import Product, ask_here

SECONDS = 60.0
VARIES = (
    (re.compile(r'"(seconds|queue_seconds|database_bytes|disk_bytes|home_bytes)": [\d.]+'), r'"\1": N'),
    (re.compile(r'"(files_read|bytes_read)": \d+'), r'"\1": N'),  # files of the last seconds are looked at again
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r"\b\d{16,19}\b"), "ID"),
    (re.compile(r"\b[\d.]+ (s|ms|kB|MB|GB)\b"), "N unit"),
    (re.compile(r"\d+(\.\d+)? (seconds|bytes)\b"), "N unit"),
    (re.compile(r"log/\d+\.json"), "log/N.json"),
)
"""What two runs of the same command may tell differently."""
PHASES = "starting|scanning|hashing|planned|planning|parsing|rehearsing|done"
PROGRESS = re.compile(rf"^({PHASES})([:;].*)?\n", re.MULTILINE)
"""What is said while a command takes its time: how much of it, and when, is a matter of how busy the machine is."""

READS = """
status --json
jobs
jobs --json
jobs --state completed --limit 2
jobs --limit 2 --json
jobs --where state=completed --sort file --json
jobs --cursor nonsense
jobs show 1
jobs show @nothing
jobs show @last
jobs logs @last
jobs receipt @last --json
jobs watch
files
files --json
files --state failed
files show {data}/sales-3.csv
files show sales-0.csv --json
why {data}/notes.txt
why sales-3.csv
why nothing.csv
sql select(1)
sql SELECT+*+FROM+sales+ORDER+BY+id+LIMIT+3
sql SELECT+count(*)+FROM+sales --format csv
sql SELECT+count(*)+FROM+sales --json
sql SELECT+nothing+FROM+sales
sql DROP+TABLE+sales
sql SELECT+*+FROM+cf_jobs+LIMIT+0 --json
tables
tables --json
tables sales
tables nothing
quarantine
quarantine --json
quarantine list --json
contract list
contract show sales --json
contract show nothing
output list
output show sales
output history sales
trace @last
trace {data}/sales-0.csv
export sales --to -
export sales --to - --format jsonl
rules list
tags list
tags show finance
sink list
sink list --json
topic list
topic show nothing
source list
source list --json
inspect {data}/sales-0.csv
inspect sales-0.csv
inspect nothing.csv
preview sales-0.csv
preview {data}/sales-1.csv --json
infer sales-3.csv
infer {data}/sales-0.csv --json
parser list
parser list --json
parser show delimited
parser show nothing
config show
config show --json
config get run.workers
config get nothing.at_all
explain home-busy
explain nothing-at-all
help agents
version --json
token list --json
watch list --json
jobs --fields job,state --limit 1 --agent
status --format nonsense
nonsense
files --where nonsense=1
files --where bytes>0 --json
"""
CHANGES = """
scan {data} --json
scan nothing-here
run {data} --json
run sales-0.csv --force --json
run {data} --parser nothing
run {data} --force --table again --tolerance 0.001
run {data} --force --table held --first-contract hold
contract list --state proposed
contract approve held
contract amend sales --add zone:string --json --fields proposal
approval list --json --fields id,kind,table,what,state,risk,approvals,needed
approve A-99
approve C-4 --json --fields is_applied,contract,table,version,approvers
approve A-5 --reason read --json --fields is_applied,table,version,approvers
approve A-5
reject C-4 --reason late
approval withdraw A-5
approval show A-5 --json --fields proposal,decisions,operations,static
key list --json --fields key,actor,is_in_force
key revoke nothing
plan {data}
plan {data} --json
tags add sales-1.csv finance
tags add sales-2.csv finance --json
tags add nothing.csv finance
tags remove sales-2.csv finance --dry-run
rules add *.log --tag logs
rules list
rules add *.txt --tag texts --dry-run
rules list --json
topic set texts --sink csv://elsewhere
topic set texts --sink nothing://x
sink add csv://spare --name spare
sink list
source list --json
quarantine
jobs cancel 1
jobs retry 1
jobs cancel @last
jobs priority 1 --set 5
jobs priority @last 5
parser resume delimited
parser resume nothing
config set ui.limit 7
config get ui.limit
config set nothing.at_all 1
watch remove 9
worker drain nobody
worker remove nobody
token add ann --scope nonsense
token revoke nobody
run {data} --force --job-timeout 0.01 --table late
"""
"""Commands that change something, in the order in which they are given to either home; spaces of a word are `+`."""


@dataclass(frozen=True)
class Side:
    """One home beside its own copy of the data, and the option that says how it is asked."""

    place: Path
    by: str

    @property
    def home(self) -> Path:
        return self.place / "home"

    @property
    def data(self) -> Path:
        return self.place / "data"

    def told(self, line: str) -> tuple[int, str, str]:
        """What the command leaves, without what may differ."""
        words = [word.replace("+", " ").format(data=self.data) for word in line.split()]
        answer = ask_here("--home", str(self.home), *words, self.by, cwd=self.data)
        return answer.code, self._plain(answer.out), self._plain(PROGRESS.sub("", answer.err))

    def _plain(self, text: str) -> str:
        text = text.replace(str(self.place), "PLACE").replace(f" {self.by}", "")
        for varies, name in VARIES:
            text = varies.sub(name, text)
        return text


def made(place: Path, by: str) -> Side:
    """A home where something was done."""
    side = Side(place, by)
    side.data.mkdir(parents=True)
    for number in range(4):
        rows = "".join(f"{row},{row}.{number}\n" for row in range(number * 10, number * 10 + 8))
        (side.data / f"sales-{number}.csv").write_text(f"id,amount\n{rows}{'x,y,z' if number == 3 else '9,9.5'}\n")
    (side.data / "notes.txt").write_text("one line\nanother\n")
    (side.data / "blob.bin").write_bytes(bytes(range(256)))
    for file in side.data.iterdir():
        os.utime(file, (1_700_000_000, 1_700_000_000))  # what was written a moment ago is read again
    ask_here("--home", str(side.home), "run", str(side.data), expect=[0, 3])
    ask_here("--home", str(side.home), "tags", "add", "sales-1.csv", "finance", cwd=side.data, expect=[0])
    return side


@contextmanager
def serving(home: Path) -> Iterator[None]:
    """A sentinel with one worker over that home, gone at the end."""
    process = Product(home).start("start", "--workers", "1")
    try:
        until = time.monotonic() + SECONDS
        while not (workers := ask_here("--home", str(home), "worker", "list", "--json")).code:
            if workers.json["workers"]:
                break
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield
    finally:
        ask_here("--home", str(home), "stop", "--timeout", "20")
        process.kill()
        process.communicate()


def compare(lines: str, embedded: Side, served: Side) -> None:
    """Fail with every command that the two answer differently."""
    found = []
    for line in lines.strip().splitlines():
        here, there = embedded.told(line), served.told(line)
        if here != there:
            found.append(f"--- {line}\nembedded {here}\nserved   {there}")
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.slow
def test_what_is_read_through_a_sentinel_is_what_is_read_without(tmp_path: Path) -> None:
    side = made(tmp_path, "--server")
    with serving(side.home):
        compare(READS, replace(side, by="--embedded"), side)


@pytest.mark.slow
def test_what_is_changed_through_a_sentinel_is_told_as_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CASPARIAN_APPROVER_KEY", str(tmp_path / "approver.key"))  # one person, who decides in both
    embedded, served = made(tmp_path / "one", "--embedded"), made(tmp_path / "two", "--server")
    with serving(served.home):
        compare(CHANGES, embedded, served)
