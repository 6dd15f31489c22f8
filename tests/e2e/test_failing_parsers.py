"""Parsers that fail or attack, through the command: the host survives, names what happened, and the rest lands."""

from __future__ import annotations

import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from product import Product, ProductHere

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
FORGED = (
    SOCKET
    + """
import pyarrow as pa
from casparian_flow.guest.wire import Kind, frame

def parse(path):
    batch = pa.record_batch({"text": ["ab", "cd"]})
    body = bytearray(batch.serialize())
    at = bytes(body).rindex(b"abcd")
    forged = bytes(body[:at - 64]) + b"\\xff\\xff\\xff\\x7f" * 16 + bytes(body[at:])
    head = {"schema": 0, "rows": 2, "source_row": False, "start": False, "end": False}
    schema = batch.schema.serialize()
    os.write(line(), frame(Kind.SCHEMA, {"output": "x"}, len(schema)) + bytes(schema))
    os.write(line(), frame(Kind.BATCH, head, len(forged)) + forged)
    yield "x", [{"text": "never"}]
"""
)


@pytest.fixture
def product(product_here: ProductHere) -> ProductHere:
    """What is tried here is the same in this process, and takes a fraction of the time."""
    return product_here


@pytest.fixture
def run_with(product: Product, tmp_path: Path) -> Callable[..., Any]:
    """Runs three files through a parser written in the test; the reply."""
    data = tmp_path / "data"
    data.mkdir()
    for number in (1, 2, 3):
        (data / f"f{number}.txt").write_text(f"{number}\n")
    (product.home).mkdir()
    (product.home / "config.toml").write_text("[run]\nretry_seconds = [0.01, 0.01, 0.01]\n")

    def run(source: str, *arguments: str, expect: tuple[int, ...] = (3,)) -> Any:
        parser = tmp_path / "stranger.py"
        parser.write_text(textwrap.dedent(source))
        return product.run(str(data), "--parser", str(parser), *arguments, expect=expect)

    return run


ONLY_TWO = """
def parse(path):
    if path.name == "f2.txt":
        {deed}
    yield "x", [{{"n": int(path.read_text())}}]
"""


@pytest.mark.parametrize(
    ("deed", "code"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "parser-crashed"),
        pytest.param("import os; os._exit(0)", "parser-crashed", marks=pytest.mark.slow),
        ("raise ValueError('boom')", "parser-raised"),
        ("import time; time.sleep(3600)", "parser-timed-out"),
        ("import os, socket; [os.write(fd, b'GET / HTTP/1.1' * 99) for fd in (line(),)]", "parser-broke-protocol"),
        ("yield 'x', [{'_cf_job_id': 1}]", "parser-reserved-column"),
        pytest.param("yield 42", "parser-raised", marks=pytest.mark.slow),
    ],
)
def test_one_bad_file_is_named_and_the_others_land(
    run_with: Callable[..., Any], product: Product, tmp_path: Path, deed: str, code: str
) -> None:
    reply = run_with(SOCKET + ONLY_TWO.format(deed=deed), "--job-timeout", "2")
    [failure] = reply["failures"]
    assert (failure["path"], failure["code"]) == ("f2.txt", code)
    assert sorted(product.table("x")["n"].to_pylist()) == [1, 3]
    why = product("why", str(tmp_path / "data" / "f2.txt"), "--json", expect=[0]).json
    assert why["job"]["job"]["job"] == failure["job"]
    assert code in product("jobs", "show", failure["job"], "--json", expect=[0]).out


def test_forged_arrow_offsets_fail_the_job_and_nothing_lands(run_with: Callable[..., Any], product: Product) -> None:
    reply = run_with(FORGED)
    assert {failure["code"] for failure in reply["failures"]} == {"parser-broke-protocol"}
    assert product.tables() == []


def test_yielding_nothing_is_done_and_not_read_again(run_with: Callable[..., Any]) -> None:
    source = "def parse(path):\n    return\n    yield\n"
    assert run_with(source, expect=(0,))["completed"] == 3
    assert run_with(source, expect=(0,))["run"] == 0


def test_megabytes_of_print_are_cut_and_kept_as_the_job_s_log(run_with: Callable[..., Any], product: Product) -> None:
    source = """
        def parse(path):
            for at in range(100_000):
                print("line", at, "." * 80)
            yield "x", [{"n": int(path.read_text())}]
        """
    run_with(source, expect=(0,))
    [job, *_] = product("jobs", "--json").json["jobs"]
    logs = product("jobs", "logs", job["job"], "--json", expect=[0]).out
    assert "line 0 ." in logs
    assert len(logs) < 1 << 20


def test_an_undeclared_output_is_quarantined(run_with: Callable[..., Any], product: Product) -> None:
    source = """
        from casparian_flow.sdk import Column, PluginMetadata
        MANIFEST = PluginMetadata(pattern="*.txt", outputs={"known": [Column("n", "int64")]})
        def parse(path):
            yield "known", [{"n": int(path.read_text())}]
            yield "surprise", [{"m": 1}, {"m": 2}]
        """
    reply = run_with(source)
    assert (reply["accepted"], reply["quarantined"]) == (3, 6)
    codes = product("sql", "SELECT DISTINCT code FROM cf_quarantine_groups", "--json").json["rows"]
    assert codes == [{"code": "cf.output.undeclared"}]


def test_several_outputs_of_a_job_land_together(run_with: Callable[..., Any], product: Product) -> None:
    source = """
        def parse(path):
            yield "heads", [{"n": int(path.read_text())}]
            yield "tails", [{"n": int(path.read_text()), "side": at} for at in range(2)]
        """
    assert run_with(source, expect=(0,))["accepted"] == 9
    assert [product.table(name).num_rows for name in ("heads", "tails")] == [3, 6]


def test_outputs_of_one_name_are_one_table_whatever_their_columns(
    run_with: Callable[..., Any], product: Product
) -> None:
    source = """
        def parse(path):
            yield "x", [{f"only_{path.stem}": int(path.read_text())}]
        """
    run_with(source, expect=(0,))
    assert product.tables() == ["x"]


def test_a_parser_that_crashes_twice_is_given_up_until_it_changes(
    run_with: Callable[..., Any], product: Product
) -> None:
    crash = ONLY_TWO.format(deed="import os; os.abort()")
    run_with(crash)
    assert run_with(crash)["run"] == 1
    reply = run_with(crash, expect=(0,))
    assert (reply["run"], reply["gave_up"]) == (0, 1)
    assert run_with(ONLY_TWO.format(deed="pass"), expect=(0,))["failures"] == []
    assert sorted(product.table("x")["n"].to_pylist()) == [1, 2, 3]


def test_a_changed_parser_that_fails_is_given_up_too_and_the_old_rows_stay(
    run_with: Callable[..., Any], product: Product
) -> None:
    run_with(ONLY_TWO.format(deed="pass"), expect=(0,))
    crash = ONLY_TWO.format(deed="raise ValueError('boom')")
    run_with(crash)
    run_with(crash)
    assert run_with(crash, expect=(0,))["gave_up"] == 1
    assert sorted(product.table("x")["n"].to_pylist()) == [1, 2, 3]


def test_a_permanent_error_is_given_up_at_once(run_with: Callable[..., Any]) -> None:
    refuse = "from casparian_flow.sdk import PermanentError\n" + ONLY_TWO.format(
        deed="raise PermanentError('not mine')"
    )
    assert run_with(refuse)["failures"][0]["code"] == "parser-refused"
    assert run_with(refuse, expect=(0,))["gave_up"] == 1


def test_a_transient_error_is_tried_again_within_the_run(
    run_with: Callable[..., Any], product: Product, tmp_path: Path
) -> None:
    flaky = f"""
        from pathlib import Path
        from casparian_flow.sdk import TransientError
        def parse(path):
            tries = Path({str(tmp_path)!r}) / (path.stem + ".tries")
            seen = len(tries.read_text()) if tries.exists() else 0
            tries.write_text("x" * (seen + 1))
            if path.name == "f2.txt" and seen < 2:
                raise TransientError("not yet")
            yield "x", [{{"n": int(path.read_text())}}]
        """
    assert run_with(flaky, expect=(0,))["completed"] == 3
    jobs = {job["path"]: job["attempt"] for job in product("jobs", "--json").json["jobs"]}
    assert jobs == {"f1.txt": 1, "f2.txt": 3, "f3.txt": 1}


def test_a_file_that_changes_while_it_is_read_brings_nothing_and_is_read_by_the_next_run(
    run_with: Callable[..., Any], product: Product
) -> None:
    growing = """
        def parse(path):
            rows = [{"n": int(line)} for line in path.read_text().split()]
            if path.name == "f2.txt" and len(rows) == 1:
                with path.open("a") as file:
                    file.write("20\\n")
            yield "x", rows
        """
    reply = run_with(growing)
    assert [failure["code"] for failure in reply["failures"]] == ["source-changed"]
    assert sorted(product.table("x")["n"].to_pylist()) == [1, 3]
    run_with(growing, expect=(0,))
    assert sorted(product.table("x")["n"].to_pylist()) == [1, 2, 3, 20]


HANGS = "import time\ndef parse(path):\n    yield 'x', [{'n': 1}]\n    time.sleep(3600)\n"


@pytest.mark.parametrize(
    ("stop", "said"), [(signal.SIGINT, "stopped by the keyboard"), (signal.SIGTERM, "stopped by SIGTERM")]
)
def test_a_busy_home_names_its_holder_and_a_stopped_run_leaves_nothing_half_done_and_says_how_to_go_on(
    run_with: Callable[..., Any], product: Product, tmp_path: Path, stop: signal.Signals, said: str
) -> None:
    parser, data = tmp_path / "hangs.py", tmp_path / "data"
    parser.write_text(HANGS)
    process = product.start("run", str(data), "--parser", str(parser), "--json")
    try:
        while not product("jobs", "--state", "running", "--json", expect=[0]).json["jobs"]:
            assert process.poll() is None
        busy = product("run", str(data), "--json", expect=[6])
        assert str(process.pid) in busy.err
        process.send_signal(stop)
        time.sleep(0.04)  # as fast as a hand is, while the worker is brought down
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert process.returncode == 130
        last = json.loads(errors.splitlines()[-1])
        assert (last["code"], last["message"]) == ("interrupted", said)
        assert last["why"] == "what was committed is kept; the next run puts right what was only begun"
        assert last["fix"].endswith(f"run {data} --parser {parser} --json")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert product.tables() == []
    states = {job["state"] for job in product("jobs", "--json").json["jobs"]}
    assert states == {"aborted"}
    run_with(ONLY_TWO.format(deed="pass"), expect=(0,))
    assert sorted(product.table("x")["n"].to_pylist()) == [1, 2, 3]


def test_how_a_parser_ended_is_known_even_to_a_run_that_was_started_without_word_of_children(tmp_path: Path) -> None:
    data, parser = tmp_path / "one.txt", tmp_path / "leaves.py"
    data.write_text("1\n")
    parser.write_text("import os\ndef parse(path):\n    os._exit(7)\n    yield\n")
    deaf = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    product = Product(tmp_path / "home", through=(sys.executable, "-c", deaf))

    [failure] = product.run(str(data), "--parser", str(parser))["failures"]

    assert failure["message"] == "leaves: its process left early with exit code 7"


def test_every_job_s_rows_add_up(run_with: Callable[..., Any], product: Product) -> None:
    run_with(
        """
        from casparian_flow.sdk import Rejected
        def parse(path):
            yield "x", [{"n": at} for at in range(5)]
            yield Rejected("x", "bad", "could not be read", start=0, end=1, raw=b"?")
        """
    )
    receipts = product("jobs", "--json").json["jobs"]
    assert [(job["rows_read"], job["accepted"], job["quarantined"]) for job in receipts] == [(6, 5, 1)] * 3
    assert [job["bytes_read"] for job in receipts] == [2, 2, 2]
    assert json.loads(product("sql", "SELECT count(*) AS n FROM x", "--json").out)["rows"] == [{"n": 15}]
