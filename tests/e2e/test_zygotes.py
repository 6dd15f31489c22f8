"""Forked guests: kept apart as fresh ones are, ended as fresh ones are, and fresh where a fork is not safe."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from casparian_flow.core.errors import ParserCrashed
from casparian_flow.guest.family import children_of
from casparian_flow.protocol.messages import Limits, ParserOrder
from casparian_flow.worker import bridge
from casparian_flow.worker import zygotes as pool
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Batch, Began, Ended, Event, Printed, Quiet, Raised
from casparian_flow.worker.guest import begin
from casparian_flow.worker.launch import start_guest
from casparian_flow.worker.zygote import ANSWER_SECONDS, Zygote
from casparian_flow.worker.zygotes import Zygotes
from guest_orders import a_job_order, a_parser_order, rows_of, write_parser
from product import Product
from warm_guests import forked_at, nursery, pid_here
from warm_zygotes import LIMITS, open_zygotes, read, wait_until, warm

pytestmark = pytest.mark.skipif(not pool.can_fork(), reason="zygotes need Linux")

PROBE = """
import ctypes, os, resource

DUMPABLE = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)

def parse(path):
    libc = ctypes.CDLL(None)
    child_subreaper = ctypes.c_int()
    libc.prctl(37, ctypes.byref(child_subreaper), 0, 0, 0)
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    kinds = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            kinds.append((int(fd) if int(fd) < 3 else 3, os.readlink(f"/proc/self/fd/{fd}").partition(":")[0]))
        except OSError:
            pass
    yield "own", [{
        "session": os.getsid(0) == os.getpid(),
        "group": os.getpgrp() == os.getpid(),
        "environment": str([name for name in os.environ if name != "LC_CTYPE"]),
        "descriptors": str(sorted(kinds)),
        "limits": str([resource.getrlimit(getattr(resource, name)) for name in names]),
        "readable": libc.prctl(3, 0, 0, 0, 0),
        "adopts": child_subreaper.value,
        "folder": str(os.listdir()),
    }]
    yield "place", [{"pid": os.getpid(), "parent": os.getppid(), "folder": os.getcwd(), "before": DUMPABLE}]
"""
STUBBORN = """
import os, signal, time
def parse(path):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    pipe, end = os.pipe()
    if os.fork() == 0:
        os.setsid()
        os.write(end, str(os.getpid()).encode())
        time.sleep(3600)
    yield "x", [{"pid": os.getpid(), "child": int(os.read(pipe, 20))}] * 20000
    while path.stem == "deaf":
        time.sleep(1)
"""


@pytest.fixture
def zygotes(tmp_path: Path) -> Iterator[Zygotes]:
    folder = tmp_path / "zygotes"
    folder.mkdir()
    with open_zygotes(folder) as opened:
        yield opened
    assert list(folder.iterdir()) == []


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def an_order(folder: Path, source: str, *, shares: bool = False, name: str = "sample.py") -> ParserOrder:
    return msgspec.structs.replace(a_parser_order(write_parser(folder, source, name)), shares_process=shares)


def levels(events: Sequence[Event]) -> list[str]:
    return [event.isolation for event in events if isinstance(event, Ended)]


def jobs_that(events: Sequence[Event], kind: type[Began | Ended | Raised]) -> list[int]:
    return [event.job for event in events if isinstance(event, kind)]


def first_batch(events: Iterator[Event]) -> dict[str, int]:
    row = next(event for event in events if isinstance(event, Batch)).batch.slice(0, 1).to_pylist()[0]
    return dict(row)


def test_a_forked_guest_is_kept_apart_as_a_fresh_one_is(zygotes: Zygotes, tmp_path: Path) -> None:
    order = an_order(tmp_path, PROBE)
    limits = Limits(job_seconds=60.0, memory_bytes=1 << 30, open_files=77, scratch_bytes=1 << 20, cpu_seconds=50)
    assert warm(zygotes, order, limits) == ""
    fresh = read(None, order, [a_job_order(1)], limits=limits)
    with_others = parse(an_order(tmp_path, PROBE), [a_job_order(7)], limits, CancelToken(), zygotes=zygotes)
    first = next(event for event in with_others if isinstance(event, Batch))  # it lives while the next one is asked
    forked = read(zygotes, order, [a_job_order(1), a_job_order(2)], limits=limits)
    assert levels(fresh) == ["process"]
    assert levels(forked) == ["process:forked"] * 2
    assert rows_of(forked, "own") == rows_of(fresh, "own") * 2 == first.batch.to_pylist() * 2
    assert [event for event in with_others if isinstance(event, Ended)]
    one, two = rows_of(forked, "place")
    assert one["pid"] != two["pid"]
    assert one["folder"] != two["folder"]
    assert one["parent"] == two["parent"] != os.getpid()
    assert one["before"] == 0, "the zygote can be read by its guests"
    assert not any(is_alive(each["pid"]) or Path(each["folder"]).exists() for each in (one, two))
    assert children_of(one["parent"]) == set(), "a zygote keeps no dead guest"


@pytest.mark.invariant(3)
def test_cancelling_a_deaf_copy_ends_it_and_what_it_started_and_spares_its_zygote(
    zygotes: Zygotes, tmp_path: Path
) -> None:
    order = an_order(tmp_path, STUBBORN)
    assert warm(zygotes, order) == ""
    stop = CancelToken()
    events = parse(order, [a_job_order(1, tmp_path / "deaf")], LIMITS, stop, zygotes=zygotes)
    row = first_batch(events)
    asked: list[float] = []
    threading.Timer(0.1, lambda: (asked.append(time.monotonic()), stop.cancel())).start()
    assert [event for event in events if not isinstance(event, (Batch, Quiet))] == []
    assert time.monotonic() - asked[0] < 1.5
    assert not is_alive(row["pid"])
    assert not is_alive(row["child"])
    again = read(zygotes, order, [a_job_order(2)])
    assert levels(again) == ["process:forked"]
    assert not is_alive(rows_of(again)[0]["child"]), "what a guest leaves behind ends with it"


def test_a_zygote_that_dies_takes_its_guests_with_it_and_their_file_is_read_again(
    zygotes: Zygotes, tmp_path: Path
) -> None:
    order = an_order(
        tmp_path,
        """
        import os, time
        def parse(path):
            yield "x", [{"pid": os.getpid(), "parent": os.getppid()}] * 20000
            while os.getsid(os.getppid()) == os.getppid() and path.parent.joinpath("wait").exists():
                time.sleep(0.01)
        """,
    )
    assert warm(zygotes, order) == ""
    held = tmp_path / "wait"
    held.touch()
    events = parse(order, [a_job_order(1, tmp_path / "a"), a_job_order(2)], LIMITS, CancelToken(), zygotes=zygotes)
    row = first_batch(events)
    held.unlink()
    os.kill(row["pid"], signal.SIGSTOP)  # so that it does not end by itself
    os.kill(row["parent"], signal.SIGKILL)
    wait_until(lambda: not is_alive(row["pid"]))
    rest = list(events)
    assert jobs_that(rest, Began) == [1, 2]
    assert jobs_that(rest, Ended) == [1, 2]
    assert levels(rest)[0] == "process"
    assert warm(zygotes, order) == "", "a zygote that died is replaced"
    assert levels(read(zygotes, order, [a_job_order(3)])) == ["process:forked"]


@pytest.mark.slow
def test_zygote_and_guests_die_with_their_host_even_in_a_busy_loop(tmp_path: Path) -> None:
    parser = write_parser(
        tmp_path,
        """
        import os
        def parse(path):
            yield "x", [{"pid": os.getpid(), "parent": os.getppid()}] * 20000
            while True:
                sum(range(10**7))  # long enough to be deaf, short enough for the thread that sends rows
        """,
    )
    script = """
import sys
from pathlib import Path
from guest_orders import a_job_order, a_parser_order
from warm_zygotes import LIMITS, warm
from casparian_flow.worker.bridge import parse
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Batch
from casparian_flow.worker.zygotes import Zygotes

zygotes = Zygotes(Path(sys.argv[1]).parent)
order = a_parser_order(Path(sys.argv[1]))
assert warm(zygotes, order) == ""
events = parse(order, [a_job_order(1)], LIMITS, CancelToken(), zygotes=zygotes)
batches = (event for event in events if isinstance(event, Batch))
row = next(batches).batch.slice(0, 1).to_pylist()[0]
print(row["pid"], row["parent"], flush=True)
next(batches)
"""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", script, str(parser)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        guest, zygote = map(int, host.stdout.readline().split())
        assert is_alive(guest)
        assert is_alive(zygote)
        assert zygote in children_of(host.pid)
        host.kill()
    wait_until(lambda: not is_alive(guest) and not is_alive(zygote))


def test_what_a_module_says_while_it_is_imported_is_said_by_every_copy_in_its_first_job(
    zygotes: Zygotes, tmp_path: Path
) -> None:
    order = an_order(
        tmp_path,
        """
        import logging, sys
        print("hello")
        print("careful", file=sys.stderr)
        logging.info("loaded")
        def parse(path):
            print(path.stem)
            yield "x", [{"n": 1}]
        """,
        shares=True,
    )
    jobs = [a_job_order(1, Path("one")), a_job_order(2, Path("two"))]
    assert warm(zygotes, order) == ""

    def said(events: Sequence[Event]) -> set[tuple[int | None, str, str]]:
        return {(event.job, event.stream, event.text) for event in events if isinstance(event, Printed)}

    fresh = said(read(None, order, jobs))
    assert fresh == said(read(zygotes, order, jobs)) == said(read(zygotes, order, jobs))
    assert (1, "log", "INFO root: loaded") in fresh
    assert len(fresh) == 5


def test_files_of_a_parser_that_shares_nothing_find_its_module_as_imported(zygotes: Zygotes, tmp_path: Path) -> None:
    source = """
        SEEN = []
        def parse(path):
            SEEN.append(path)
            yield "x", [{"n": len(SEEN)}]
        """
    alone, shared = an_order(tmp_path, source), an_order(tmp_path, source, shares=True)
    assert warm(zygotes, alone) == ""
    jobs = [a_job_order(number) for number in (1, 2, 3)]
    apart = read(zygotes, alone, jobs)
    assert [row["n"] for row in rows_of(apart)] == [1, 1, 1]
    assert levels(apart) == ["process:forked"] * 3
    assert [row["n"] for row in rows_of(read(zygotes, shared, jobs))] == [1, 2, 3]


def test_after_a_crash_finished_files_keep_their_results_and_the_culprit_is_named(
    zygotes: Zygotes, tmp_path: Path
) -> None:
    order = an_order(
        tmp_path,
        """
        import os
        POISONED = []
        def parse(path):
            yield "x", [{"n": int(path.stem)}]
            if path.stem == "2":
                POISONED.append(True)
            if POISONED and path.stem == "4" or path.stem == "5":
                os._exit(7)
        """,
        shares=True,
    )
    assert warm(zygotes, order) == ""
    events = read(zygotes, order, [a_job_order(number, Path(str(number))) for number in range(1, 8)])
    assert jobs_that(events, Ended) == [1, 2, 3, 4, 6, 7], "the fourth file is read again, and innocent by itself"
    assert jobs_that(events, Began) == [1, 2, 3, 4, 4, 5, 5, 6, 7]
    [raised] = [event for event in events if isinstance(event, Raised)]
    assert (raised.job, type(raised.error)) == (5, ParserCrashed)
    assert "exit code 7" in raised.error.message
    assert levels(events) == [*["process:forked"] * 3, "process", *["process:forked"] * 2]
    assert zygotes.why_not(order, LIMITS) == ""


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n", "threads"),
        ("print('x' * 100_000)\n", "says"),
        ("import sys\nif sys.stdin.fileno() == 0: raise KeyError('x')\n", "imported: KeyError"),
        ("import os\nos._exit(0)\n", "died"),
    ],
    ids=["threads", "talks", "raises", "leaves"],
)
def test_a_parser_whose_import_does_not_survive_a_fork_has_fresh_processes(
    zygotes: Zygotes, tmp_path: Path, source: str, why: str
) -> None:
    order = an_order(tmp_path, source + "def parse(path):\n    yield 'x', [{'n': 1}]\n")
    assert why in warm(zygotes, order)
    assert not zygotes.has(order, LIMITS)


def test_the_second_guest_waits_for_the_zygote_that_it_asks_for(
    zygotes: Zygotes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "PATIENCE_SECONDS", 60.0)
    order = an_order(tmp_path, "def parse(path):\n    yield 'x', [{'n': 1}]\n")
    events = read(zygotes, order, [a_job_order(1), a_job_order(2), a_job_order(3)])
    assert levels(events) == ["process", "process:forked", "process:forked"]


@pytest.mark.parametrize("failures", [1, pool.LOSSES], ids=["once", "always"])
def test_no_room_for_a_zygote_costs_its_parser_the_copies_only_when_it_happens_again_and_again(
    zygotes: Zygotes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    order = an_order(tmp_path, "def parse(path):\n    yield 'x', [{'n': 1}]\n")
    tried: list[object] = []

    def start(*given: Any) -> Zygote:
        tried.append(given)
        if len(tried) <= failures:
            raise OSError(errno.EMFILE, "Too many open files")
        return Zygote(*given)

    def is_settled() -> bool:
        if len(tried) > failures or zygotes.why_not(order, LIMITS):
            return True
        assert zygotes.fork(order, LIMITS, ()) is None
        return False

    monkeypatch.setattr(pool, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(pool, "Zygote", start)
    wait_until(is_settled)
    if failures == 1:
        wait_until(lambda: zygotes.has(order, LIMITS))
        assert zygotes.why_not(order, LIMITS) == ""
    else:
        assert "Too many open files" in zygotes.why_not(order, LIMITS)
        assert len(tried) == pool.LOSSES


def test_a_parser_that_hangs_in_a_copy_is_read_by_a_fresh_process_and_that_is_remembered(
    zygotes: Zygotes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order(
        tmp_path,
        """
        import os, threading, time
        FREE = threading.Lock()
        os.register_at_fork(after_in_child=FREE.acquire)
        def parse(path):
            with FREE:
                yield "x", [{"n": 1}]
        """,
    )
    monkeypatch.setattr(bridge, "FIRST_SIGN_SECONDS", 5.0)
    assert warm(zygotes, order) == ""
    events = read(zygotes, order, [a_job_order(1), a_job_order(2)])
    assert jobs_that(events, Began) == [1, 1, 2]
    why = "a copy of its process gives nothing where a fresh process does"
    assert levels(events) == ["process", f"process: fresh, because {why}"]
    assert zygotes.why_not(order, LIMITS) == why


def test_a_parser_that_is_silent_in_fresh_processes_too_may_be_copied(
    zygotes: Zygotes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order(
        tmp_path,
        """
        import time
        def parse(path):
            time.sleep(0.3)
            yield "x", [{"n": 1}]
        """,
    )
    monkeypatch.setattr(bridge, "FIRST_SIGN_SECONDS", 0.1)
    assert warm(zygotes, order) == ""
    events = read(zygotes, order, [a_job_order(1), a_job_order(2)])
    assert levels(events) == ["process", "process:forked"]
    assert zygotes.why_not(order, LIMITS) == ""


def test_a_copy_that_gives_rows_and_then_computes_for_long_is_not_silent(
    zygotes: Zygotes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = an_order(
        tmp_path,
        """
        import time
        def parse(path):
            yield "x", [{"n": 1}]
            time.sleep(1)
        """,
    )
    monkeypatch.setattr(bridge, "FIRST_SIGN_SECONDS", 0.7)
    assert warm(zygotes, order) == ""
    assert levels(read(zygotes, order, [a_job_order(1)])) == ["process:forked"]


def test_a_parser_that_dies_in_copies_alone_has_fresh_processes(zygotes: Zygotes, tmp_path: Path) -> None:
    order = an_order(
        tmp_path,
        """
        import os
        IMPORTED_BY = os.getpid()
        def parse(path):
            if os.getpid() != IMPORTED_BY:
                os._exit(9)
            yield "x", [{"n": 1}]
        """,
    )
    assert warm(zygotes, order) == ""
    events = read(zygotes, order, [a_job_order(1), a_job_order(2)])
    assert jobs_that(events, Ended) == [1, 2]
    why = "a copy of its process dies where a fresh process does not"
    assert levels(events) == ["process", f"process: fresh, because {why}"]
    assert zygotes.why_not(order, LIMITS) == why


def test_a_zygote_that_lies_about_its_guest_is_left_and_nobody_is_signalled(zygotes: Zygotes, tmp_path: Path) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    try:
        order = an_order(
            tmp_path,
            f"""
            import os
            os.fork = lambda: {victim.pid}
            def parse(path):
                yield "x", [{{"n": 1}}]
            """,
        )
        assert warm(zygotes, order) == ""
        assert levels(read(zygotes, order, [a_job_order(1)])) == ["process"]
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize(
    ("warmed", "forked"),
    [("{}", ""), ("[" * 60_000, ""), ('{"unsafe": "\\ud800"}', ""), ('{"unsafe": ""}', '{"pid": 1' + "0" * 30 + "}")],
    ids=["nothing", "nested", "no text", "no number of a process"],
)
def test_a_zygote_that_talks_nonsense_costs_its_parser_the_copies_and_nobody_else(
    zygotes: Zygotes, tmp_path: Path, warmed: str, forked: str
) -> None:
    source = f"""
        import json
        honest = json.dumps
        def dumps(words, **how):
            if isinstance(words, dict) and "unsafe" in words:
                return {warmed!r}
            return {forked!r} if isinstance(words, dict) and "pid" in words else honest(words, **how)
        json.dumps = dumps
        def parse(path):
            yield "x", [{{"n": 1}}]
        """
    liar = an_order(tmp_path, source)
    assert bool(warm(zygotes, liar)) == (not forked)
    [level] = levels(read(zygotes, liar, [a_job_order(1)]))
    assert level.encode() == b"process" or (not forked and level.startswith("process: fresh, because "))
    other = an_order(tmp_path, 'def parse(path):\n    yield "x", [{"n": 1}]\n', name="other.py")
    assert warm(zygotes, other) == ""
    assert levels(read(zygotes, other, [a_job_order(1)])) == ["process:forked"]


def test_the_exit_code_of_a_copy_is_reported(zygotes: Zygotes, tmp_path: Path) -> None:
    order = an_order(tmp_path, "import os\ndef parse(path):\n    os._exit(int(path.stem))\n")
    assert warm(zygotes, order) == ""
    guest = start_guest(order, [a_job_order(1, Path("41"))], LIMITS, tmp_path / "zygotes", zygotes)
    try:
        assert guest.is_forked
        assert guest.wait(30) == 41
    finally:
        guest.end()
    at_once = start_guest(order, [a_job_order(1)], LIMITS, tmp_path / "zygotes", zygotes)
    at_once.end()
    assert at_once.wait(0) == -signal.SIGKILL


def test_zygotes_are_few_the_least_used_goes_and_idle_ones_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MOST", 1)
    monkeypatch.setattr(pool, "_TIDY_SECONDS", 0.05)
    with open_zygotes(tmp_path) as zygotes:
        source = "import os\ndef parse(path):\n    yield 'x', [{'parent': os.getppid()}]\n"
        first = an_order(tmp_path, source)
        assert warm(zygotes, first) == ""
        [row] = rows_of(read(zygotes, first, [a_job_order(1)]))
        changed = an_order(tmp_path, source + "# changed\n")
        assert warm(zygotes, changed) == ""
        assert not zygotes.has(first, LIMITS), "there is room for one"
        assert not is_alive(row["parent"])
        [other] = rows_of(read(zygotes, changed, [a_job_order(1)]))
        assert other["parent"] != row["parent"]
        monkeypatch.setattr(pool, "IDLE_SECONDS", 0.0)
        wait_until(lambda: not zygotes.has(changed, LIMITS) and not is_alive(other["parent"]))


def test_without_fork_every_guest_is_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not pool.can_fork()
    zygotes = Zygotes(tmp_path)
    monkeypatch.undo()
    order = an_order(tmp_path, "def parse(path):\n    yield 'x', [{'n': 1}]\n")
    for _ in range(5):
        assert zygotes.fork(order, LIMITS, ()) is None
    assert not zygotes.has(order, LIMITS)
    zygotes.close()


def test_a_run_over_many_files_of_a_stranger_forks_a_process_for_each_and_leaves_nothing(
    product: Product, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(16):
        (data / f"f{number}.txt").write_text(f"{number}\n")
    parser = write_parser(
        tmp_path,
        """
        import os
        SEEN = []
        def parse(path):
            SEEN.append(path)
            yield "x", [{"n": int(path.read_text()), "seen": len(SEEN), "pid": os.getpid()}]
        """,
    )
    product.run(str(data), "--parser", str(parser), expect=[0])
    table = product.table("x")
    assert sorted(table["n"].to_pylist()) == list(range(16))
    assert set(table["seen"].to_pylist()) == {1}
    assert len(set(table["pid"].to_pylist())) == 16
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as state:
        found = [isolation for (isolation,) in state.execute("SELECT receipt ->> 'isolation' FROM cf_jobs")]
    assert set(found) == {"process", "process:forked"}
    assert list(product.home.rglob("casparian-*")) == []


def test_a_warm_interpreter_of_tests_that_is_late_is_waited_for() -> None:
    pid = pid_here(nursery())
    os.kill(pid, signal.SIGSTOP)
    late = threading.Timer(ANSWER_SECONDS + 0.5, os.kill, (pid, signal.SIGCONT))
    late.start()
    guest = begin(forked_at(nursery()))
    late.join()
    assert guest is not None
    assert not guest.has_exited
    guest.end()
    assert guest.has_exited


KILLED = """
import sys
from pathlib import Path
from product import Product
home, file, parser = sys.argv[1:]
Product(Path(home))("run", file, "--parser", parser)
"""
FOR_LONG = """
import os, time
def parse(path):
    with open({said!r}, "w") as file:
        print(os.getpid(), file=file)
    time.sleep(600)
"""


def test_a_command_and_its_guest_end_with_the_tests_that_asked_for_it(tmp_path: Path) -> None:
    said, parser, file = tmp_path / "said", tmp_path / "long.py", tmp_path / "a.txt"
    parser.write_text(FOR_LONG.format(said=str(said)))
    file.write_text("x\n")
    asking = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(file), str(parser)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "TMPDIR": str(tmp_path),
        },
    )
    with asking:
        wait_until(lambda: said.exists() and said.read_text().endswith("\n"))
        asking.kill()
    wait_until(lambda: not Path(f"/proc/{said.read_text().strip()}").exists())
