"""The command as a process of its own: pipes that close, streams that are absent, no waiting."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from builders import HomeBuilder, eventful_home
from casparian_flow.clients.cli.errors import BROKEN_PIPE
from casparian_flow.clients.cli.root import COMMANDS

SOURCE = Path(__file__).parents[3] / "src"


def start(home: Path, *words: str, **streams) -> subprocess.Popen[str]:
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.Popen(
        [sys.executable, "-m", "casparian_flow", "--home", str(home), *words],
        env={"PYTHONPATH": str(SOURCE), "HOME": str(home), "PATH": os.environ["PATH"]},
        cwd=home,
        text=True,
        **streams,
    )


@pytest.mark.slow
def test_no_command_waits_for_input(tmp_path):
    home = eventful_home(tmp_path / "home").path
    lines = [["rules", "remove", "1"], *([entry.name] for entry in COMMANDS if entry.name in ("status", "doctor"))]
    for words in lines:
        with start(home, *words, "--json") as process:
            out, err = process.communicate(timeout=60)
        assert json.loads(out or err.splitlines()[-1])


def test_a_reader_that_goes_away_ends_the_command_quietly(tmp_path):
    with HomeBuilder(tmp_path / "home") as past:
        source = past.source()
        past.database.driver.execute("BEGIN")
        past.database.driver.executemany(
            "INSERT INTO scout_locations (source_id, rel_path, display, kind, size, mtime_ns, ctime_ns, inode,"
            " is_dirty, last_scan_id) VALUES (?, ?, ?, 'file', 1, 0, 0, 0, 1, 1)",
            ((source, b"%06d" % number, f"{number:06d}") for number in range(5000)),
        )
        past.database.driver.execute("COMMIT")
    with start(tmp_path / "home", "files") as process:
        assert process.stdout.readline().startswith("000000\tnew")
        process.stdout.close()
        assert process.wait(timeout=60) == BROKEN_PIPE
        assert process.stderr.read() == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_stream_of_any_encoding_is_written(tmp_path, encoding):
    home = eventful_home(tmp_path / "home").path
    done = subprocess.run(
        [sys.executable, "-m", "casparian_flow", "--home", str(home), "files", "-f", "table"],
        env={"PYTHONPATH": str(SOURCE), "HOME": str(home), "PYTHONIOENCODING": encoding},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "skipped" in done.stdout.decode(encoding)


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("is_unbuffered", [False, True])
def test_a_full_standard_output_is_no_crash_and_a_run_behind_it_is_done(tmp_path, is_unbuffered):
    home, data = tmp_path / "home", tmp_path / "in"
    data.mkdir()
    (data / "t.csv").write_text("id\n1\n2\n")
    env = {"PYTHONPATH": str(SOURCE), "HOME": str(tmp_path), **({"PYTHONUNBUFFERED": "1"} if is_unbuffered else {})}

    def told(*words):
        with FULL.open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "casparian_flow", "--home", str(home), *words],
                env=env, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120,
            )  # fmt: skip
        assert done.returncode == 1, done.stderr
        return done.stderr

    ran = json.loads(told("run", str(data), "--json").splitlines()[-1])
    assert (ran["code"], ran["where"], ran["fix"]) == ("answer-unwritten", "standard output", "casparian status")
    assert ran["message"] == "the run is done, but its answer could not be written"
    assert ran["why"] == os.strerror(errno.ENOSPC)
    for words in (["sql", "SELECT * FROM range(100000)"], ["sql", "SELECT count(*) FROM t", "--json"], ["--help"]):
        said = told(*words)
        assert "answer-unwritten" in said and "is done" not in said and "Exception ignored" not in said
    assert "fix   casparian --home" in told("status")
    assert not (home / "crashes").exists()
    with start(home, "sql", "SELECT count(*) AS n FROM t", "--json") as process:
        assert json.loads(process.communicate(timeout=60)[0])["rows"] == [{"n": 2}]


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_full_standard_error_changes_neither_what_is_done_nor_the_answer(tmp_path):
    home, data = tmp_path / "home", tmp_path / "in"
    data.mkdir()
    (data / "t.csv").write_text("id\n1\n2\n")

    def answered(*words):
        with FULL.open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "casparian_flow", "--home", str(home), *words],
                env={"PYTHONPATH": str(SOURCE), "HOME": str(tmp_path)},
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=full, text=True, timeout=120,
            )  # fmt: skip
        return done.returncode, done.stdout

    code, said = answered("run", str(data), "--json", "--progress", "jsonl")
    assert (code, json.loads(said)["accepted"]) == (0, 2)
    assert answered("frobnicate") == (2, "")
    code, said = answered("sql", "SELECT count(*) AS n FROM t", "--json")
    assert (code, json.loads(said)["rows"]) == (0, [{"n": 2}])


def closing(streams, *command):
    """The command, begun without these of its standard streams."""
    return ["sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, *command]


@pytest.mark.parametrize(("streams", "code"), [("2>&-", 0), (">&-", 1), ("<&- >&- 2>&-", 1)])
def test_with_closed_streams_all_is_done_and_only_a_lost_answer_is_an_error(tmp_path, streams, code):
    home, data = tmp_path / "home", tmp_path / "in"
    data.mkdir()
    (data / "t.csv").write_text("id\n1\n2\n")
    done = subprocess.run(
        closing(streams, "-m", "casparian_flow", "--home", str(home), "run", str(data), "--json"),
        env={"PYTHONPATH": str(SOURCE), "HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    if streams == "2>&-":
        assert json.loads(done.stdout)["accepted"] == 2
    if streams == ">&-":
        assert json.loads(done.stderr.splitlines()[-1])["why"] == os.strerror(errno.EBADF)
    assert not (home / "crashes").exists()
    with start(home, "sql", "SELECT count(*) AS n FROM t", "--json") as process:
        assert json.loads(process.communicate(timeout=60)[0])["rows"] == [{"n": 2}]


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has open is read in /proc")
def test_no_file_of_a_command_takes_the_place_of_a_closed_stream(tmp_path):
    found = tmp_path / "found"
    look = "[os.readlink(f'/proc/self/fd/{stream}') for stream in range(3)]"
    program = (
        "import atexit, os, pathlib\n"
        f"atexit.register(lambda: pathlib.Path({str(found)!r}).write_text(' '.join({look})))\n"
        "from casparian_flow.clients.cli.root import main\nmain()"
    )
    subprocess.run(closing("<&- >&- 2>&-", "-c", program, "version"), env={"PYTHONPATH": str(SOURCE)}, timeout=60)
    assert found.read_text() == " ".join([os.devnull] * 3)
