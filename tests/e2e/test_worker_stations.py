"""A worker with real guests and a sentinel that does what the test says: cancelled, fenced, drained, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.protocol.bodies import Cast, CastJob, Heartbeat, Seal, Sealed, Surveyed
from casparian_flow.protocol.messages import Limits
from casparian_flow.protocol.opcodes import Opcode
from guest_orders import write_parser
from scripted_sentinel import ScriptedSentinel, a_job, a_parse, a_worker

NUMBERS = Contract("t", 1, (ContractColumn("n", "int64"),))

IGNORES_SIGNALS = """
import os, signal, time
def parse(path):
    for number in range(1, 64):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    (path.parent / "pids").write_text(str(os.getpid()))
    while True:
        time.sleep(3600)
"""

LOOPS_IN_C = """
import os
def parse(path):
    (path.parent / "pids").write_text(str(os.getpid()))
    sum(range(10**12))
"""

FORKS = """
import os, time
def parse(path):
    pids = [os.getpid()]
    for leaves in (False, True, True):
        reading, writing = os.pipe()
        if not (child := os.fork()):
            if leaves:
                os.setsid()
            if not os.fork():
                os.write(writing, str(os.getpid()).encode())
                time.sleep(3600)
            os.close(writing)
            if leaves:
                os._exit(0)
            time.sleep(3600)
        pids += [int(os.read(reading, 20))] + ([] if leaves else [child])
    (path.parent / "pids.new").write_text(" ".join(map(str, pids)))
    (path.parent / "pids.new").rename(path.parent / "pids")
    time.sleep(3600)
"""


BEARS = """
import os, subprocess, time
def parse(path):
    child = subprocess.Popen(["sleep", "3600"])
    (path.parent / "pids.new").write_text(f"{os.getpid()} {child.pid}")
    (path.parent / "pids.new").rename(path.parent / "pids")
    time.sleep(3600)
"""


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def the_processes(folder: Path, sentinel: ScriptedSentinel) -> list[int]:
    """Those that the parser named, once it has."""
    named = folder / "pids"
    sentinel.until(lambda: named.exists() and named.read_text() != "")
    return [int(pid) for pid in named.read_text().split()]


def files(folder: Path, *names: str) -> list[Path]:
    for name in names:
        (folder / name).write_text("1\n")
    return [folder / name for name in names]


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []


@pytest.mark.parametrize("source", [IGNORES_SIGNALS, LOOPS_IN_C, FORKS], ids=["ignores signals", "loops", "forks"])
def test_when_a_job_is_said_to_be_stopped_nothing_of_its_parser_is_alive(tmp_path: Path, source: str) -> None:
    sentinel = ScriptedSentinel()
    parser = write_parser(tmp_path, source)
    [file] = files(tmp_path, "a.dat")
    with a_worker(sentinel, tmp_path / "scratch"):
        sentinel.dispatch(a_parse(parser, [a_job(file, 1)], tmp_path / "out"))
        processes = the_processes(tmp_path, sentinel)
        assert all(map(is_alive, processes))
        sentinel.abort(1)
        sentinel.hear(Opcode.STOPPED, 1)
        assert not any(map(is_alive, processes))
        assert not sentinel.said(Opcode.ERR, 1)
        sentinel.until_free()


GROUP = """
import time
def parse(path):
    yield "t", [{"n": 1}]
    if path.name.startswith("slow"):
        (path.parent / "pids").write_text("1")
        time.sleep(3600)
"""


def test_the_other_jobs_of_a_group_go_on_when_one_is_stopped(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel()
    parser = write_parser(tmp_path, GROUP)
    jobs = [a_job(file, at) for at, file in enumerate(files(tmp_path, "a", "slow", "b", "c", "d"), 1)]
    with a_worker(sentinel, tmp_path / "scratch"):
        sentinel.dispatch(a_parse(parser, jobs, tmp_path / "out"))
        the_processes(tmp_path, sentinel)
        sentinel.abort(4)
        sentinel.hear(Opcode.STOPPED, 4)
        sentinel.abort(2)
        for group in ([1], [3, 5]):
            seal = sentinel.hear(Opcode.SEALED, group[0]).body
            assert isinstance(seal, Seal)
            assert [each.job for each in seal.outcome.jobs] == group
        sentinel.hear(Opcode.STOPPED, 2)
        assert not sentinel.said(Opcode.SEALED, 4)
        assert not sentinel.said(Opcode.SEALED, 2)
        kept = [path.name for path in (tmp_path / "scratch").iterdir() if path.name.endswith(".1")]
        assert sorted(kept) == ["1.1", "3.1"]
    assert not (tmp_path / "scratch").exists()


def surveyed_then_cast(sentinel: ScriptedSentinel, tmp_path: Path) -> Cast:
    parse = a_parse(write_parser(tmp_path, GROUP), [a_job(files(tmp_path, "a")[0], 1)], tmp_path / "out")
    sentinel.dispatch(parse)
    outcome = sentinel.hear(Opcode.SEALED, 1).body
    assert isinstance(outcome, Seal)
    assert isinstance(outcome.outcome, Surveyed)
    sentinel.until_free()
    return Cast(
        parser=parse.parser,
        jobs=[CastJob(job=parse.jobs[0], tables={"t": "t"})],
        routes=parse.routes,
        contracts={"t": NUMBERS},
    )


def test_a_surveyed_job_is_cast_sealed_and_promoted(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel()
    with a_worker(sentinel, tmp_path / "scratch"):
        cast = surveyed_then_cast(sentinel, tmp_path)
        sentinel.heard.clear()
        sentinel.dispatch(cast)
        seal = sentinel.hear(Opcode.SEALED, 1).body
        assert isinstance(seal, Seal)
        assert isinstance(seal.outcome, Sealed)
        assert seal.outcome.jobs[0].receipt.accepted == 1
        sentinel.permit(1)
        sentinel.hear(Opcode.CONCLUDE, 1)
        assert not left_in(tmp_path / "scratch")


def test_a_sealed_attempt_that_is_fenced_leaves_nothing(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel()
    with a_worker(sentinel, tmp_path / "scratch"):
        sentinel.dispatch(surveyed_then_cast(sentinel, tmp_path))
        sentinel.until(lambda: len(sentinel.said(Opcode.SEALED, 1)) == 2)
        assert [path.suffix for path in left_in(tmp_path / "out")].count(".parquet") == 1
        sentinel.abort(1)
        sentinel.hear(Opcode.STOPPED, 1)
        assert not [path for path in left_in(tmp_path / "out") if path.suffix == ".parquet"]


def test_an_aborted_survey_leaves_nothing(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel()
    with a_worker(sentinel, tmp_path / "scratch"):
        surveyed_then_cast(sentinel, tmp_path)
        assert left_in(tmp_path / "scratch")
        sentinel.abort(1)
        sentinel.hear(Opcode.STOPPED, 1)
        assert not left_in(tmp_path / "scratch")


def test_a_worker_that_is_not_heard_kills_its_guests_and_joins_again(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel(fence_ms=600)
    parser = write_parser(tmp_path, LOOPS_IN_C)
    [file] = files(tmp_path, "a.dat")
    with a_worker(sentinel, tmp_path / "scratch", told=(told := [])):
        sentinel.dispatch(a_parse(parser, [a_job(file, 1)], tmp_path / "out"))
        processes = the_processes(tmp_path, sentinel)
        sentinel.is_mute = True
        sentinel.until(lambda: not any(map(is_alive, processes)))
        sentinel.is_mute = False
        sentinel.hear(Opcode.STOPPED, 1)
    assert told == ["worker.joined", "worker.lost", "worker.joined"]


def test_a_worker_that_leaves_finishes_what_it_reads(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel()
    parser = write_parser(
        tmp_path,
        """
        import time
        def parse(path):
            (path.parent / "pids").write_text("1")
            while not (path.parent / "go").exists():
                time.sleep(0.01)
            raise ValueError("no rows")
        """,
    )
    jobs = [a_job(file, at) for at, file in enumerate(files(tmp_path, "a", "b"), 1)]
    with a_worker(sentinel, tmp_path / "scratch") as station:
        sentinel.dispatch(a_parse(parser, jobs, tmp_path / "out"))
        the_processes(tmp_path, sentinel)
        station.leave()
        sentinel.hear(Opcode.STOPPED, 2)
        (tmp_path / "go").touch()
        assert sentinel.failure(1).code == "parser-raised"
        sentinel.until(lambda: not station.is_running)
    last = [each.body for each in sentinel.heard if isinstance(each.body, Heartbeat)][-1]
    assert last.leaving
    assert not last.progress


def test_a_worker_that_stops_gives_back_what_it_reads(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel()
    parser = write_parser(tmp_path, FORKS)
    [file] = files(tmp_path, "a.dat")
    with a_worker(sentinel, tmp_path / "scratch") as station:
        sentinel.dispatch(a_parse(parser, [a_job(file, 1)], tmp_path / "out"))
        processes = the_processes(tmp_path, sentinel)
        station.stop()
        sentinel.hear(Opcode.STOPPED, 1)
        assert not any(map(is_alive, processes))
        sentinel.until(lambda: not station.is_running)


def test_a_parser_that_is_silent_goes_on_until_its_time_is_over(tmp_path: Path) -> None:
    sentinel = ScriptedSentinel(fence_ms=500)
    parser = write_parser(tmp_path, LOOPS_IN_C)
    [file] = files(tmp_path, "a.dat")
    with a_worker(sentinel, tmp_path / "scratch"):
        sentinel.dispatch(a_parse(parser, [a_job(file, 1)], tmp_path / "out", limits=Limits(job_seconds=1.5)))
        failure = sentinel.failure(1)
        assert failure.code == "parser-timed-out"
        silent = [
            told.silent_ms for each in sentinel.heard if isinstance(each.body, Heartbeat) for told in each.body.progress
        ]
        assert max(silent) > 500


SCRIPT = """
import sys
from pathlib import Path
from scripted_sentinel import ScriptedSentinel, a_job, a_parse, a_worker

folder = Path(sys.argv[1])
sentinel = ScriptedSentinel()
with a_worker(sentinel, folder / "scratch"):
    sentinel.dispatch(a_parse(folder / "sample.py", [a_job(folder / "a.dat", 1)], folder / "out"))
    sentinel.until(lambda: False, 60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("source", [IGNORES_SIGNALS, LOOPS_IN_C, BEARS], ids=["ignores signals", "loops", "bears"])
def test_a_killed_worker_leaves_no_guest_alive(tmp_path: Path, source: str) -> None:
    write_parser(tmp_path, source)
    files(tmp_path, "a.dat")
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], env=environment) as worker:
        ends = time.monotonic() + 30
        while not (tmp_path / "pids").exists() or not (tmp_path / "pids").read_text():
            assert time.monotonic() < ends
            time.sleep(0.02)
        processes = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(map(is_alive, processes))
        worker.send_signal(signal.SIGKILL)
    ends = time.monotonic() + 10
    while any(map(is_alive, processes)):
        assert time.monotonic() < ends
        time.sleep(0.02)
