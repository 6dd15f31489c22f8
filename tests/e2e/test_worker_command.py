"""`casparian worker --join`: a process that works for a sentinel, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from casparian_flow.core.presence import Presence
from casparian_flow.protocol.opcodes import Opcode
from casparian_flow.protocol.zmq_router import ZmqRouter
from guest_orders import write_parser
from product import Product
from scripted_sentinel import ScriptedSentinel, a_job, a_parse

WAITS = """
import time
def parse(path):
    (path.parent / f"{path.name}.begun").touch()
    while not (path.parent / "go").exists():
        time.sleep(0.01)
    yield "t", [{"n": 1}]
"""


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[ScriptedSentinel]:
    router = ZmqRouter([f"ipc://{tmp_path}/w.sock"])
    yield ScriptedSentinel(router)
    router.close()


@contextmanager
def a_worker_process(folder: Path, address: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        "-m",
        "casparian_flow",
        "worker",
        "--join",
        address,
        "--keys",
        f"{folder}/keys",
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said_by(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().rstrip()


@pytest.mark.slow
def test_a_worker_joins_reads_and_ends_when_it_is_told_to(tmp_path: Path, sentinel: ScriptedSentinel) -> None:
    parser = write_parser(tmp_path, WAITS)
    for name in ("a", "b"):
        (tmp_path / name).write_text("1\n")
    jobs = [a_job(tmp_path / name, at) for at, name in enumerate("ab", 1)]
    with a_worker_process(tmp_path, f"ipc://{tmp_path}/w.sock", "--labels", "rack=7", "--parsers", "csv") as process:
        identify = sentinel.hear(Opcode.IDENTIFY, 0).body
        assert identify.labels == {"rack": "7"}  # type: ignore[attr-defined]
        assert identify.parsers == ["csv"]  # type: ignore[attr-defined]
        sentinel.until_free()
        assert said_by(process) == "joined as w"
        sentinel.dispatch(a_parse(parser, jobs, tmp_path / "out"))
        sentinel.until(lambda: (tmp_path / "a.begun").exists())
        process.send_signal(signal.SIGTERM)
        sentinel.hear(Opcode.STOPPED, 2)
        (tmp_path / "go").touch()
        sentinel.hear(Opcode.STOPPED, 1)  # what it came to is a survey, which cannot wait at a worker that leaves
        sentinel.until(lambda: process.poll() is not None)
        assert process.returncode == 0
    assert not (tmp_path / "b.begun").exists()
    assert not (tmp_path / "keys" / "scratch" / "0" / "scratch").exists()


@pytest.mark.slow
def test_a_second_signal_stops_at_once(tmp_path: Path, sentinel: ScriptedSentinel) -> None:
    parser = write_parser(tmp_path, WAITS)
    (tmp_path / "a").write_text("1\n")
    presence = Presence(
        pid=1, started="", product="", control="", workers=("tcp://127.0.0.1:1", f"ipc://{tmp_path}/w.sock")
    )
    (tmp_path / "sentinel.json").write_bytes(msgspec.json.encode(presence))
    with a_worker_process(tmp_path, str(tmp_path), "--name", "first") as process:
        sentinel.until_free()
        sentinel.dispatch(a_parse(parser, [a_job(tmp_path / "a", 1)], tmp_path / "out"))
        sentinel.until(lambda: (tmp_path / "a.begun").exists())
        process.send_signal(signal.SIGTERM)
        sentinel.until(lambda: any(getattr(each.body, "leaving", False) for each in sentinel.heard))
        process.send_signal(signal.SIGTERM)
        sentinel.hear(Opcode.STOPPED, 1)
        sentinel.until(lambda: process.poll() is not None)
        assert process.returncode == 0


@pytest.mark.slow
def test_a_refused_worker_ends_and_says_why(tmp_path: Path, sentinel: ScriptedSentinel) -> None:
    sentinel.refusal = "this worker was removed"
    with a_worker_process(tmp_path, f"ipc://{tmp_path}/w.sock") as process:
        sentinel.until(lambda: process.poll() is not None)
        assert process.returncode == 4
        assert process.stderr is not None
        said = process.stderr.read()
    assert "error[worker-refused]: the sentinel refused this worker: this worker was removed" in said


def test_without_a_sentinel_a_home_cannot_be_joined(product_here: Product, tmp_path: Path) -> None:
    answer = product_here("worker", "--join", str(tmp_path), "--keys", str(tmp_path / "keys"))
    assert answer.code == 6
    assert "no sentinel holds that home" in answer.err
    assert "casparian start" in answer.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--join", "cf-join:nonsense"], "damaged"),
        (["--join", "tcp://10.0.0.1:7000"], "--name NAME"),
        (["--join", "tcp://10.0.0.1:7000", "--name", "../x"], "no name for a worker"),
        (["--join", "tcp://10.0.0.1:7000", "--name", "x"], "has not joined yet"),
        (["--join", "http://10.0.0.1"], "no address for workers"),
        (["--join", ".", "--labels", "x"], "is no label"),
    ],
)
def test_an_address_or_label_that_is_none_is_an_error_with_a_way_out(
    product_here: Product, tmp_path: Path, options: list[str], said: str
) -> None:
    answer = product_here("worker", *options, "--keys", str(tmp_path / "keys"))
    assert answer.code == 2
    assert said in answer.err
