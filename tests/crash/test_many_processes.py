"""Several processes that stage, promote, discard and sweep in one target at once lose nothing and wait their turn."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from casparian_flow.core.errors import SinkUnavailable
from casparian_flow.core.outputs import Role
from casparian_flow.sinks import turn
from casparian_flow.sinks.base import Sink
from casparian_flow.sinks.turn import lock_file, writing_turn
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, commit, permitted, sealed

SLOW = pytest.mark.slow
SCHEMES = [
    pytest.param("csv", marks=SLOW),
    "duckdb",
    pytest.param("parquet", marks=SLOW),
    pytest.param("sqlite", marks=SLOW),
]
PREPARE = """
import sys
from pathlib import Path
from casparian_flow.core.outputs import Role
from casparian_flow.sinks.base import Attempt
from casparian_flow.sinks.turn import writing_turn
from casparian_flow.sinks.uri import open_sink
from sink_builders import a_batch, commit, permitted, sealed

sink = open_sink(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""
COMMITS = """
for at in range(int(sys.argv[2]), 10, int(sys.argv[3])):
    lost = sealed(sink, 1000 + at, [a_batch([-1])], table="other")
    commit(sink, at, at, [at])
    sink.discard(Attempt(job=1000 + at, attempt=1), [lost])
"""
CLAIMS = """
from casparian_flow.core.errors import TargetOwned
try:
    sink.claim(sys.argv[2])
    print("mine")
except TargetOwned:
    print("theirs")
"""
TIDIES = """
for job in range(int(sys.argv[2]), 1000, 2)[:15]:
    staged = sealed(sink, job, [a_batch([job])])
    sink.discard(Attempt(job=job, attempt=1), [staged])
last = 2000 + int(sys.argv[2])
staged = sealed(sink, last, [a_batch([last])])
sink.promote([permitted(staged, int(sys.argv[2]) + 1, last)])
"""
HOLDS = """
with writing_turn(sink.path):
    print("holding", flush=True)
    sys.stdin.readline()
"""


class Crowd:
    """Processes that wait until all of them are ready, then do the same thing at once."""

    def __init__(self, code: str) -> None:
        self._code = PREPARE + code
        self._members: list[subprocess.Popen[str]] = []

    def add(self, *arguments: object) -> subprocess.Popen[str]:
        path = os.pathsep.join(str(Path(entry).resolve()) for entry in ("src", "tests"))
        member = subprocess.Popen(
            [sys.executable, "-c", self._code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._members.append(member)
        return member

    def start(self) -> None:
        for member in self._members:
            assert member.stdout is not None and member.stdout.readline() == "ready\n"
        for member in self._members:
            assert member.stdin is not None
            member.stdin.write("go\n")
            member.stdin.flush()

    def finish(self) -> list[str]:
        """What each of them printed; all of them ended well."""
        found = [member.communicate(timeout=60)[0].strip() for member in self._members]
        assert [member.returncode for member in self._members] == [0] * len(self._members)
        return found

    def close(self) -> None:
        for member in self._members:
            if member.poll() is None:
                member.kill()
            member.communicate()


@pytest.fixture
def crowd() -> Iterator[type[Crowd]]:
    with ExitStack() as stack:

        class Closed(Crowd):
            def __init__(self, code: str) -> None:
                super().__init__(code)
                stack.callback(self.close)

        yield Closed


def uri_of(scheme: str, folder: Path) -> str:
    return f"{scheme}://{folder}/out" + (".db" if scheme in ("duckdb", "sqlite") else "")


def numbers(sink: Sink) -> list[int]:
    return sink.read("events", Role.ACCEPTED).read_all().column("n").to_pylist()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_commits_of_several_processes_are_all_there_in_the_order_of_their_numbers(
    scheme: str, crowd: type[Crowd], tmp_path: Path
) -> None:
    uri = uri_of(scheme, tmp_path)
    writers = crowd(COMMITS)
    for first in (1, 2, 3):
        writers.add(uri, first, 3)

    writers.start()
    writers.finish()

    assert numbers(open_sink(uri)) == list(range(1, 10))
    assert open_sink(uri).tables(Role.ACCEPTED) == ["events"]
    if scheme in ("duckdb", "sqlite"):
        assert [path.name for path in tmp_path.iterdir()] == ["out.db"]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_entry_that_three_processes_promote_counts_once(scheme: str, crowd: type[Crowd], tmp_path: Path) -> None:
    uri = uri_of(scheme, tmp_path)
    output = sealed(open_sink(uri), 1, [a_batch([7, 8])])
    body = permitted(output, 1, 1).body
    (tmp_path / "entry").write_bytes(body)
    promoters = crowd(
        "from casparian_flow.core.outputs import PermittedEntry\n"
        "body = Path(sys.argv[2]).read_bytes()\n"
        "sink.promote([PermittedEntry(sink=sys.argv[1], table='events', role=Role.ACCEPTED, seq=1, body=body)])\n"
    )
    for _ in range(3):
        promoters.add(uri, tmp_path / "entry")

    promoters.start()
    promoters.finish()

    assert numbers(open_sink(uri)) == [7, 8]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_of_two_homes_that_claim_at_once_exactly_one_is_the_owner(
    scheme: str, crowd: type[Crowd], tmp_path: Path
) -> None:
    uri = uri_of(scheme, tmp_path)
    homes = crowd(CLAIMS)
    homes.add(uri, "home-a")
    homes.add(uri, "home-b")

    homes.start()

    answers = homes.finish()
    assert sorted(answers) == ["mine", "theirs"]
    assert open_sink(uri).owner() == ("home-a", "home-b")[answers.index("mine")]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_folders_that_one_process_tidies_are_never_missed_by_another(
    scheme: str, crowd: type[Crowd], tmp_path: Path
) -> None:
    uri = uri_of(scheme, tmp_path)
    stagers = crowd(TIDIES)
    stagers.add(uri, 0)
    stagers.add(uri, 1)

    stagers.start()
    stagers.finish()

    assert numbers(open_sink(uri)) == [2000, 2001]


@pytest.mark.parametrize("scheme", ["duckdb", pytest.param("sqlite", marks=SLOW)])
def test_whoever_waits_in_vain_is_told_who_has_the_database_and_a_killed_holder_lets_go(
    scheme: str, crowd: type[Crowd], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = uri_of(scheme, tmp_path)
    sink = open_sink(uri)
    commit(sink, 1, 1, [1])
    entry = permitted(sealed(sink, 2, [a_batch([2])], table="later"), 1, 2)
    holders = crowd(HOLDS)
    holder = holders.add(uri)
    holders.start()
    assert holder.stdout is not None and holder.stdout.readline() == "holding\n"

    with monkeypatch.context() as patched:
        patched.setattr(turn, "WAIT_SECONDS", 0.05)
        with pytest.raises(SinkUnavailable) as writing:
            sink.promote([entry])
        with pytest.raises(SinkUnavailable) as reading:
            sink.snapshot("events", Role.ACCEPTED)
    for failure in (writing.value, reading.value):
        assert failure.transient
        assert f"process {holder.pid} has it" in failure.why

    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert lock_file(tmp_path / "out.db").exists()
    sink.promote([entry])
    assert sorted(sink.tables(Role.ACCEPTED)) == ["events", "later"]
    assert [path.name for path in tmp_path.iterdir()] == ["out.db"]


def test_a_sweep_removes_what_a_killed_holder_left_and_not_what_a_live_one_is_making(tmp_path: Path) -> None:
    path = tmp_path / "out.db"
    sink = open_sink(f"sqlite://{path}")
    (tmp_path / ".out.db.new.0011").touch()
    lock_file(path).touch()

    sink.sweep([])

    assert list(tmp_path.iterdir()) == []


def test_the_lock_belongs_to_the_database_and_not_to_one_of_its_names(tmp_path: Path) -> None:
    path, link = tmp_path / "out.db", tmp_path / "link.db"
    link.symlink_to(path)

    with writing_turn(path):
        descriptor = os.open(lock_file(link), os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
    assert not lock_file(path).exists()
