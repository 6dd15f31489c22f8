"""Parsers that crash, hang, lie or attack: the host names what happened, stays up and leaves nobody alive."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from casparian_flow.core.errors import (
    ParserBrokeProtocol,
    ParserCrashed,
    ParserRaised,
    ParserReserved,
    ParserTimedOut,
)
from casparian_flow.guest.zygote import ALLOCATOR_THREADS
from casparian_flow.protocol.messages import Limits
from casparian_flow.worker import bridge
from casparian_flow.worker.cancel import CancelToken
from casparian_flow.worker.events import Batch, Began, Ended, Printed, Raised
from guest_orders import a_job_order, a_parser_order, rows_of, run_parser, said, the_failure, write_parser

SOCKET = """
import os, stat

def line():
    for fd in range(3, 128):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            pass
"""

FRAMES = (
    SOCKET
    + """
import pyarrow as pa
from casparian_flow.guest.wire import Kind, frame

def send(kind, head, body=b""):
    os.write(line(), frame(kind, head, len(body)) + bytes(body))

def send_batch(batch, body, rows=None, **places):
    send(Kind.SCHEMA, {"output": "x"}, batch.schema.serialize())
    head = {"schema": 0, "rows": batch.num_rows if rows is None else rows}
    send(Kind.BATCH, head | {"source_row": False, "start": False, "end": False} | places, body)
"""
)


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def eventually_dead(process: int) -> bool:
    for _ in range(200):
        if not is_alive(process):
            return True
        time.sleep(0.02)
    return False


def test_a_segmentation_fault_is_named_with_the_last_words(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os, signal, sys
        def parse(path):
            print("reading chunk 31", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        """,
    )
    failure = the_failure(events)
    assert isinstance(failure.error, ParserCrashed)
    assert failure.job == 1
    assert "sample" in failure.error.message
    assert "SIGSEGV" in failure.error.message
    assert "reading chunk 31" in failure.error.why


def test_leaving_with_exit_code_0_in_the_middle_is_a_crash(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os
        def parse(path):
            yield "x", [{"n": at} for at in range(40000)]
            os._exit(0)
        """,
    )
    assert isinstance(the_failure(events).error, ParserCrashed)
    assert "exit code 0" in the_failure(events).error.message
    assert not [event for event in events if isinstance(event, Ended)]


def test_a_parser_that_hangs_runs_into_its_time_limit(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os, time
        def parse(path):
            yield "x", [{"pid": os.getpid()}] * 20000
            time.sleep(3600)
        """,
        limits=Limits(job_seconds=1.5),
    )
    assert isinstance(the_failure(events).error, ParserTimedOut)
    assert not is_alive(rows_of(events)[0]["pid"])


def test_a_busy_loop_runs_into_its_cpu_limit(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        def parse(path):
            while True:
                pass
        """,
        limits=Limits(job_seconds=60.0, cpu_seconds=1),
    )
    assert isinstance(the_failure(events).error, ParserTimedOut)
    assert "CPU" in the_failure(events).error.message


def test_garbage_on_the_socket_breaks_the_protocol(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        SOCKET
        + """
def parse(path):
    os.write(line(), b"GET / HTTP/1.1" * 100)
    yield "x", [{"n": 1}]
""",
    )
    assert isinstance(the_failure(events).error, ParserBrokeProtocol)


def test_a_body_larger_than_the_frame_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        FRAMES
        + """
def parse(path):
    batch = pa.record_batch({"a": ["x"]})
    send(Kind.SCHEMA, {"output": "x"}, batch.schema.serialize())
    head = {"schema": 0, "rows": 1, "source_row": False, "start": False, "end": False}
    os.write(line(), frame(Kind.BATCH, head, 1 << 40))
    yield "x", [{"n": 1}]
""",
    )
    assert isinstance(the_failure(events).error, ParserBrokeProtocol)
    assert str(1 << 40) in the_failure(events).error.why


def test_a_forged_interior_offset_never_becomes_a_batch(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        FRAMES
        + """
import struct

def parse(path):
    batch = pa.record_batch({"a": ["first", None, "third"]})
    body = bytearray(batch.serialize())
    offsets = struct.pack("<4i", 0, 5, 5, 10)
    at = bytes(body).index(offsets)
    body[at : at + 16] = struct.pack("<4i", 0, 1 << 20, 5, 10)
    send_batch(batch, body)
    yield "x", [{"n": 1}]
""",
    )
    assert isinstance(the_failure(events).error, ParserBrokeProtocol)
    assert "not valid Arrow data" in the_failure(events).error.why
    assert not [event for event in events if isinstance(event, Batch)]


def test_a_small_frame_that_claims_many_rows_is_refused(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        FRAMES
        + """
def parse(path):
    nested = pa.ListArray.from_arrays(pa.array([0, 1 << 30], pa.int32()), pa.nulls(1 << 30))
    batch = pa.record_batch({"a": nested})
    send_batch(batch, batch.serialize())
    yield "x", [{"n": 1}]
""",
    )
    assert isinstance(the_failure(events).error, ParserBrokeProtocol)
    assert "without bytes" in the_failure(events).error.why


def test_compressed_bodies_are_refused(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        FRAMES
        + """
def parse(path):
    batch = pa.record_batch({"a": ["x" * 1000] * 1000})
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    reader = pa.ipc.MessageReader.open_stream(sink.getvalue())
    reader.read_next_message()
    send_batch(batch, reader.read_next_message().serialize())
    yield "x", [{"n": 1}]
""",
    )
    assert "compressed" in the_failure(events).error.why


def test_a_forged_end_does_not_pass_as_success(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        FRAMES
        + """
def parse(path):
    send(Kind.END, {"job": 1, "counts": {"x": 1000}})
    yield "x", [{"n": 1}]
""",
    )
    assert isinstance(the_failure(events).error, ParserBrokeProtocol)
    assert not [event for event in events if isinstance(event, Ended)]


@pytest.mark.parametrize("name", ["_cf_job_id", "_CF_anything"])
def test_a_reserved_column_is_refused_by_the_guest(tmp_path: Path, name: str) -> None:
    events = run_parser(tmp_path, f"def parse(path):\n    yield 'x', [{{'{name}': 1}}]\n")
    assert isinstance(the_failure(events).error, ParserReserved)


@pytest.mark.invariant(5)
def test_a_reserved_column_that_gets_past_the_guest_is_refused_by_the_host(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        FRAMES
        + """
def parse(path):
    batch = pa.record_batch({"_cf_job_id": [1]})
    send_batch(batch, batch.serialize())
    yield "x", [{"n": 1}]
""",
    )
    assert isinstance(the_failure(events).error, ParserReserved)
    assert "_cf_job_id" in the_failure(events).error.message


def test_printing_megabytes_neither_blocks_nor_fills_memory(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import logging, sys
        def parse(path):
            for _ in range(4000):
                print("o" * 1000)
                print("e" * 1000, file=sys.stderr)
            logging.getLogger("sample").warning("done")
            yield "x", [{"n": 1}]
        """,
        limits=Limits(job_seconds=60.0, log_bytes=10_000),
    )
    printed = [event for event in events if isinstance(event, Printed)]
    [ended] = [event for event in events if isinstance(event, Ended)]
    assert sum(len(event.text) + 1 for event in printed) <= 10_001
    assert {event.job for event in printed} == {1}
    assert ended.log_dropped > 7_900_000
    assert rows_of(events) == [{"n": 1}]


def test_what_is_printed_belongs_to_the_job_that_printed_it(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import logging
        def parse(path):
            print("reading", path.stem)
            logging.getLogger("sample").info("logged %s", path.stem)
        """,
        jobs=range(1, 21),
    )
    printed = [(event.job, event.stream, event.text) for event in events if isinstance(event, Printed)]
    expected = [(job, "stdout", f"reading {job}") for job in range(1, 21)]
    expected += [(job, "log", f"INFO sample: logged {job}") for job in range(1, 21)]
    assert sorted(printed) == sorted(expected)


def test_what_is_printed_waits_for_a_beginning_that_came_after_the_look_at_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unlucky:
        """Looks at the line, which is registered first, before anything has come."""

        def __init__(self) -> None:
            self._poll = select.poll()
            self._handles: list[int] = []
            self._has_missed = False

        def register(self, handle: int, events: int) -> None:
            self._handles.append(handle)
            self._poll.register(handle, events)

        def unregister(self, handle: int) -> None:
            self._poll.unregister(handle)

        def poll(self, milliseconds: int) -> list[tuple[int, int]]:
            ready = self._poll.poll(milliseconds)
            if self._has_missed:
                return ready
            pipes = [each for each in ready if each[0] != self._handles[0]]
            self._has_missed = bool(pipes)
            return pipes

    monkeypatch.setattr(bridge, "select", SimpleNamespace(poll=Unlucky, POLLIN=select.POLLIN))
    events = run_parser(tmp_path, "def parse(path):\n    print('reading', flush=True)\n")
    assert [(event.job, event.text) for event in events if isinstance(event, Printed)] == [(1, "reading")]


def test_yielding_nothing_is_an_end_without_rows(tmp_path: Path) -> None:
    events = run_parser(tmp_path, "def parse(path):\n    return None\n")
    assert events == [Began(1), Ended(1, {}, 0)]


@pytest.mark.parametrize(
    "value",
    ["42", "'text'", "('x', 42)", "('x', 'text')", "('x', {'a': 1})", "('x', {'a': [1], 'b': []})", "('x', [1], 2)"],
)
def test_yielding_the_wrong_thing_fails_the_job_and_says_what_to_yield(tmp_path: Path, value: str) -> None:
    events = run_parser(tmp_path, f"def parse(path):\n    yield {value}\n")
    assert isinstance(the_failure(events).error, ParserRaised)
    assert the_failure(events).error.message.startswith("sample: ")


def test_a_child_in_a_session_of_its_own_does_not_outlive_the_job(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os, time
        def parse(path):
            pipe, end = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    os.write(end, str(os.getpid()).encode())
                    time.sleep(3600)
                os._exit(0)
            yield "x", [{"pid": int(os.read(pipe, 20))}]
        """,
    )
    assert isinstance(events[-1], Ended)
    assert eventually_dead(rows_of(events)[0]["pid"])


def test_a_child_that_keeps_the_socket_open_does_not_hide_a_crash(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os, time
        def parse(path):
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(7)
        """,
    )
    assert "exit code 7" in the_failure(events).error.message


@pytest.mark.invariant(3)
def test_cancelling_kills_a_parser_that_ignores_every_signal(tmp_path: Path) -> None:
    path = write_parser(
        tmp_path,
        """
        import os, signal, time
        def parse(path):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            yield "x", [{"pid": os.getpid()}] * 20000
            while True:
                time.sleep(1)
        """,
    )
    stop = CancelToken()
    events = said(a_parser_order(path), [a_job_order(1)], Limits(job_seconds=60.0), stop)
    assert next(events) == Began(1)
    first = next(events)
    assert isinstance(first, Batch)
    threading.Timer(0.1, stop.cancel).start()
    assert list(events) == []
    assert not is_alive(first.batch["pid"][0].as_py())


def test_cancelling_kills_the_guest_while_nobody_reads_from_it(tmp_path: Path) -> None:
    path = write_parser(
        tmp_path,
        """
        import os, time
        def parse(path):
            yield "x", [{"pid": os.getpid()}] * 20000
            time.sleep(3600)
        """,
    )
    stop = CancelToken()
    events = said(a_parser_order(path), [a_job_order(1)], Limits(job_seconds=60.0), stop)
    next(events)
    first = next(events)
    assert isinstance(first, Batch)
    stop.cancel()
    assert eventually_dead(first.batch["pid"][0].as_py())
    assert list(events) == []


def test_closing_the_iterator_early_kills_the_guest_and_removes_its_folder(tmp_path: Path) -> None:
    path = write_parser(
        tmp_path,
        """
        import os, time
        def parse(path):
            open("left", "w").close()
            yield "x", [{"pid": os.getpid(), "folder": os.getcwd()}] * 20000
            time.sleep(3600)
        """,
    )
    events = said(a_parser_order(path), [a_job_order(1)], Limits(), CancelToken())
    next(events)
    first = next(events)
    assert isinstance(first, Batch)
    events.close()
    [row] = first.batch.slice(0, 1).to_pylist()
    assert not is_alive(row["pid"])
    assert not Path(row["folder"]).exists()


def test_a_crash_among_many_files_is_blamed_on_the_file_that_crashes_by_itself_too(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os, signal
        def parse(path):
            if path.stem == "4":
                os.kill(os.getpid(), signal.SIGSEGV)
            yield "x", [{"n": int(path.stem)}]
        """,
        jobs=range(1, 11),
    )
    assert [event.job for event in events if isinstance(event, Ended)] == [1, 2, 3, 5, 6, 7, 8, 9, 10]
    assert the_failure(events).job == 4
    assert [event.job for event in events if isinstance(event, Began)] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10]


def test_an_exception_in_a_group_fails_one_job_and_the_next_ones_run(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        def parse(path):
            yield "x", [{"n": 1}]
            if path.stem == "2":
                raise KeyError("offset 12")
        """,
        jobs=(1, 2, 3),
    )
    assert [event.job for event in events if isinstance(event, Ended)] == [1, 3]
    failure = the_failure(events)
    assert failure.job == 2
    assert "KeyError: 'offset 12'" in failure.error.message
    assert "sample.py" in failure.error.where


def test_a_guest_that_dies_before_its_first_job_is_blamed_on_that_job_and_the_next_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dies.py").write_text("raise SystemExit(41)\n")
    monkeypatch.setattr("casparian_flow.worker.guest.SHIM", str(tmp_path / "dies.py"))
    events = run_parser(tmp_path, "def parse(path): ...\n", jobs=(5, 6))
    failures = [event for event in events if isinstance(event, Raised)]
    assert [event.job for event in failures] == [5, 6]
    assert all(isinstance(each.error, ParserCrashed) and "41" in each.error.message for each in failures)


def test_a_parser_that_has_less_memory_than_it_needs_fails_alone(tmp_path: Path) -> None:
    events = run_parser(tmp_path, "def parse(path): ...\n", limits=Limits(memory_bytes=1 << 20), jobs=(5, 6))
    failures = [event for event in events if isinstance(event, Raised)]
    assert [event.job for event in failures] == [5, 6]
    assert all("emory" in str(each.error) for each in failures)


def test_the_environment_is_empty_and_nothing_of_the_host_can_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_SECRET", "hunter2")
    events = run_parser(
        tmp_path,
        """
        import importlib, os
        def parse(path):
            yield "env", {"name": list(os.environ)}
            for name in ("core", "worker", "sdk", "guest"):
                try:
                    importlib.import_module("casparian_flow." + name)
                    yield "imports", [{"name": name}]
                except ImportError:
                    pass
        """,
    )
    assert [row["name"] for row in rows_of(events, "env") if row["name"] != "LC_CTYPE"] == []
    assert rows_of(events, "imports") == [{"name": "sdk"}, {"name": "guest"}]


@pytest.mark.skipif(os.cpu_count() == 1, reason="numpy starts a thread for each further core, and there is none")
def test_a_guest_begins_with_one_thread(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import os, sys
        def parse(path):
            for each in os.listdir("/proc/self/task"):
                yield "threads", [{"name": open(f"/proc/self/task/{each}/comm").read().strip()}]
            yield "numpy", [{"name": "numpy" if "numpy" in sys.modules else ""}]
        """,
    )
    assert len([row for row in rows_of(events, "threads") if row["name"] not in ALLOCATOR_THREADS]) == 1
    assert rows_of(events, "numpy") == [{"name": "numpy"}]


def test_descriptors_of_the_host_are_not_inherited(tmp_path: Path) -> None:
    secret = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        events = run_parser(
            tmp_path,
            """
            import os
            def parse(path):
                for fd in range(3, 128):
                    try:
                        yield "x", [{"kind": os.readlink(f"/proc/self/fd/{fd}")}]
                    except OSError:
                        pass
            """,
        )
    finally:
        os.close(secret)
    assert sorted(row["kind"].partition(":")[0] for row in rows_of(events)) == ["pipe", "pipe", "socket"]


def test_limits_hold_before_the_parser_runs(tmp_path: Path) -> None:
    events = run_parser(
        tmp_path,
        """
        import resource
        def parse(path):
            names = ("RLIMIT_AS", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE")
            yield "x", [{name: resource.getrlimit(getattr(resource, name))[1] for name in names}]
        """,
        limits=Limits(memory_bytes=1 << 30, open_files=100, scratch_bytes=1 << 20),
    )
    assert rows_of(events) == [{"RLIMIT_AS": 1 << 30, "RLIMIT_NOFILE": 100, "RLIMIT_FSIZE": 1 << 20, "RLIMIT_CORE": 0}]


@pytest.mark.slow
def test_a_guest_dies_with_its_host_even_in_a_busy_loop(tmp_path: Path) -> None:
    parser = write_parser(
        tmp_path,
        """
        import os
        def parse(path):
            yield "x", [{"pid": os.getpid()}] * 20000
            while True:
                sum(range(10**9))
        """,
    )
    script = """
import sys
from pathlib import Path
from guest_orders import a_job_order, a_parser_order, said
from casparian_flow.guest.zygote import ALLOCATOR_THREADS
from casparian_flow.protocol.messages import Limits
from casparian_flow.worker import bridge
from casparian_flow.worker.cancel import CancelToken

events = said(a_parser_order(Path(sys.argv[1])), [a_job_order(1)], Limits(), CancelToken())
next(events)
print(next(events).batch["pid"][0].as_py(), flush=True)
next(events)
"""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", script, str(parser)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as host:
        assert host.stdout is not None
        guest = int(host.stdout.readline())
        assert is_alive(guest)
        host.kill()
    assert eventually_dead(guest)


def test_two_hundred_thousand_rows_stream_through_bounded_memory(tmp_path: Path) -> None:
    path = write_parser(
        tmp_path,
        """
        import re
        from casparian_flow.sdk import Verdict
        def parse(path):
            for at in range(200_000):
                yield "x", [{"n": at, "text": f"{at:01000d}"}]
            # What getrusage tells would include the process that started this one.
            yield Verdict("peak", re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
        """,
    )
    rows = 0
    for event in said(a_parser_order(path), [a_job_order(1)], Limits(), CancelToken()):
        if isinstance(event, Batch):
            assert event.batch.num_rows <= 16_384
            assert event.batch["n"][0].as_py() == rows
            rows += event.batch.num_rows
        peak = getattr(event, "value", None) or "0"
        assert int(peak) < 200_000, "200 MB of rows went through more than 200 MB of memory"
    assert rows == 200_000
