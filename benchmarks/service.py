"""The product as a service: several workers, requests while jobs run, commands as clients, and cancelling."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.background import PATIENCE_SECONDS, background, control_socket, cpu_seconds, sentinel, wait_for
from benchmarks.bars import CANCEL, STATUS, TWO_WORKERS
from benchmarks.data.delimited import write_small_csv
from benchmarks.inventory import make_empty_files
from benchmarks.process import casparian, measure, our_command, ours, peer_command
from benchmarks.rounds import Side, in_turn
from benchmarks.shape import FILES, MILLISECONDS, PERCENT, REQUESTS, Bench, Benchmark, Figure, Row

BUSY = """
import hashlib
import time

def parse(path):
    until = time.process_time() + {seconds}
    while time.process_time() < until:
        hashlib.sha256(bytes(4096)).digest()
    yield "rows", [{{"id": 1}}]
"""
"""Uses so much CPU for every file, whatever it holds."""
DEAF = """
import signal
import time

def parse(path):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        time.sleep(600)
    yield "rows", [{"id": 1}]
"""
READ = "/v1/jobs/list"


def _measure(bench: Bench) -> Iterator[Row]:
    yield from _workers(bench)
    yield from _clients(bench)
    yield _cancelling(bench)
    yield _watching(bench)


def _workers(bench: Bench) -> Iterator[Row]:
    """Files that only cost CPU."""
    count = bench.pick(6, 60)
    files, parser = _files(bench.folder / "busy", count), bench.folder / "busy.py"
    parser.write_text(BUSY.format(seconds=bench.pick(0.05, 1.0)))

    def read(workers: int) -> float:
        home = bench.folder / f"home{workers}"
        with sentinel(home, workers):
            began = time.perf_counter()
            done = casparian(home, "run", str(files), "--parser", str(parser)).json["completed"]
            seconds = time.perf_counter() - began
        if done != count:
            raise RuntimeError(f"{done} of {count} files were read")
        return count / seconds

    found = {workers: Figure([read(workers)]) for workers in bench.pick((1, 2), (1, 2, 4))}
    for workers in list(found)[1:]:
        bar = TWO_WORKERS if workers == 2 else None
        yield Row(f"{workers} workers, {count} files", FILES, found[workers], "1 worker", found[1], bar)


def _clients(bench: Bench) -> Iterator[Row]:
    """Requests of one connection, and commands, while a worker reads."""
    count = bench.pick(100, 1_000)
    home, bare = bench.folder / "asked", bench.folder / "bare"
    files, parser = _files(bench.folder / "asked files", bench.pick(60, 1_000)), bench.folder / "some.py"
    parser.write_text(BUSY.format(seconds=0.2))
    with (
        background(peer_command("bare_route", str(bare))),
        sentinel(home, 1),
        background(our_command(home, "run", str(files), "--parser", str(parser))),
    ):
        socket = control_socket(home)
        wait_for(bare.exists, "the bare route never answered")
        wait_for(lambda: _running(home), "no job runs")
        sides = {
            "bare": Side(lambda: _rate(bare, "/", count)),
            "ours": Side(lambda: _rate(socket, READ, count)),
        }
        rates = in_turn(bench, sides)
        click = [sys.executable, "-c", "import click"]
        commands = {
            "click": Side(lambda: 1000 * measure(click).seconds),
            "status": Side(lambda: 1000 * measure(our_command(home, "status", "--server")).seconds),
        }
        took = in_turn(bench, commands)
    yield Row("reads while jobs run", REQUESTS, Figure(rates["ours"]), "bare route", Figure(rates["bare"]))
    yield Row(
        "status as a client",
        MILLISECONDS,
        Figure(took["status"]),
        "import click",
        Figure(took["click"]),
        STATUS,
    )


def _rate(socket: Path, path: str, count: int) -> float:
    return count / float(ours("ask", str(socket), "POST", path, str(count)).json["seconds"])


def _cancelling(bench: Bench) -> Row:
    """Of many cancelled jobs, the one that took longest but for one in a hundred."""
    count = bench.pick(2, 30)
    home, parser = bench.folder / "deaf home", bench.folder / "deaf.py"
    files = _files(bench.folder / "deaf", count)
    parser.write_text(DEAF)
    took, killed = [], []
    with sentinel(home, 1), background(our_command(home, "run", str(files), "--parser", str(parser))):
        for _ in range(count):
            job = wait_for(lambda: _running(home), "no parser runs")
            began = time.perf_counter()
            ended = casparian(home, "jobs", "cancel", job, "--wait").json["cancelled"][0]["state"]
            took.append(1000 * (time.perf_counter() - began))
            if ended != "aborted":
                raise RuntimeError(f"the job is {ended}")
            killed.append(_kill())
    mine, theirs = (Figure([sorted(each)[int(0.99 * (count - 1))]]) for each in (took, killed))
    return Row(f"cancel, p99 of {count}", MILLISECONDS, mine, "kill and wait", theirs, CANCEL)


def _running(home: Path) -> str | None:
    found = casparian(home, "jobs", "--where", "state=running").json["jobs"]
    return str(found[0]["job"]) if found else None


def _kill() -> float:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    began = time.perf_counter()
    process.kill()
    process.wait(PATIENCE_SECONDS)
    return 1000 * (time.perf_counter() - began)


def _watching(bench: Bench) -> Row:
    """What waiting for changes costs while there are none."""
    count, seconds = bench.pick(500, 50_000), bench.pick(1.0, 30.0)
    files, home = bench.folder / "watched", bench.folder / "watching"
    make_empty_files(files, count)
    casparian(home, "run", str(files))
    shares = {}
    for name, command in (
        ("watchfiles", peer_command("wait_for_changes", str(files))),
        ("ours", our_command(home, "run", str(files), "--watch")),
    ):
        with background(command) as process:
            _come_to_rest(process.pid)
            before = cpu_seconds(process.pid)
            time.sleep(seconds)
            shares[name] = Figure([100 * (cpu_seconds(process.pid) - before) / seconds])
    return Row(f"watching {count:,} idle files", PERCENT, shares["ours"], "watchfiles", shares["watchfiles"])


def _come_to_rest(pid: int) -> None:
    """Return when a process has begun, and then used hardly any CPU for half a second."""

    def rests() -> bool:
        before = cpu_seconds(pid)
        time.sleep(0.5)
        return before > 0 and cpu_seconds(pid) - before < 0.05

    wait_for(rests, "it never comes to rest")


def _files(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        write_small_csv(folder / f"flows_{number:05}.csv", 2, seed=number)
    return folder


BENCHMARK = Benchmark(
    "service",
    "`casparian start` with worker processes, asked by processes of their own: a run whose parser only uses CPU, by"
    f" several workers and by one; {READ} over one connection to the Unix socket while a worker is busy, beside a bare"
    " Starlette route on one; a command as a client; `jobs cancel --wait` of a parser that ignores signals, as a"
    " process from start to exit, beside killing a process; the CPU of `run --watch` when nothing happens",
    _measure,
    (TWO_WORKERS, STATUS, CANCEL),
)
