"""What a command imports decides how fast it answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from casparian_flow.core.presence import Presence
from scripted_server import says, scripted_server

SOURCE = Path(__file__).parents[2] / "src"
HEAVY = ("alembic", "duckdb", "msgspec", "numpy", "orjson", "pyarrow", "rich", "sqlalchemy")
CENSUS = """
import sys
from casparian_flow.clients.cli.root import run
code = run(sys.argv[2:])
found = [name for name in sys.argv[1].split(",") if name in sys.modules]
print(*found, file=sys.stderr)
sys.exit(code)
"""
ENDING = """
import atexit
import gc
import sys
from casparian_flow.clients.cli.root import main
atexit.register(lambda: print(len(gc.get_objects()), gc.get_freeze_count()))
main()
"""
ONE_THREAD = """
import atexit
import os
from casparian_flow.clients.cli.root import main
def threads():
    import numpy
    print(numpy.__name__, len(os.listdir("/proc/self/task")))
atexit.register(threads)
main()
"""
COMPLETION = """
import sys
from casparian_flow.clients.cli.completion import answer
from casparian_flow.clients.cli.root import root
answer(root, "bash_complete")
print(*[name for name in sys.argv[1].split(",") if name in sys.modules], file=sys.stderr)
"""


def imported(tmp_path: Path, unwanted: tuple[str, ...], *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", CENSUS, ",".join(unwanted), *words],
        env={"PYTHONPATH": str(SOURCE), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()[-1].split()


@pytest.mark.parametrize(
    "words", [["--help"], [], ["version"], ["--version"], ["files", "--help"], ["rules", "add", "-h"]]
)
def test_help_and_version_import_nothing_heavy(tmp_path, words):
    assert imported(tmp_path, HEAVY, *words) == []


def counted_at_the_end(program):
    """What a program prints last that runs `version` and then looks at itself."""
    done = subprocess.run(
        [sys.executable, "-c", program, "version"],
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-2:]


def test_an_ending_command_leaves_nothing_to_be_looked_through_for_cycles():
    left, frozen = map(int, counted_at_the_end(ENDING))
    assert left < frozen / 100


@pytest.mark.skipif(sys.platform != "linux" or os.cpu_count() == 1, reason="threads are counted in /proc; one per core")
def test_a_command_that_imports_numpy_starts_no_threads():
    assert counted_at_the_end(ONE_THREAD) == ["numpy", "1"]


ANSWERED_FROM_THE_PACKAGE = [
    ["explain"],
    ["explain", "home-busy"],
    ["help"],
    ["help", "formats"],
    ["help", "run"],
    ["help", "schemas", "job"],
    ["completion", "bash"],
    ["completion", "powershell"],
]


@pytest.mark.parametrize("words", ANSWERED_FROM_THE_PACKAGE, ids=" ".join)
def test_what_the_package_knows_by_itself_imports_no_library_of_data(tmp_path, words):
    unwanted = tuple(name for name in HEAVY if name != "msgspec")
    assert imported(tmp_path, unwanted, *words) == []


@pytest.mark.parametrize("typed", ["casparian fi", "casparian jobs show ", "casparian run --parser "])
def test_completing_a_word_imports_no_library_of_data(tmp_path, typed):
    unwanted = tuple(name for name in HEAVY if name != "msgspec")
    done = subprocess.run(
        [sys.executable, "-c", COMPLETION, ",".join(unwanted)],
        env={
            "PYTHONPATH": str(SOURCE),
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
        },
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr.split()) == (0, [])


@pytest.mark.parametrize("words", [["config"], ["config", "path"]])
def test_settings_are_shown_without_a_database_library(tmp_path, words):
    unwanted = tuple(name for name in HEAVY if name != "msgspec")
    assert imported(tmp_path, unwanted, *words) == []


@pytest.mark.parametrize("words", [["status"], ["files"], ["jobs"], ["tags"], ["contract"], ["rules"]])
def test_reading_imports_no_engine_no_parser_and_no_migrations(tmp_path, words):
    unwanted = tuple(name for name in HEAVY if name not in ("msgspec", "sqlalchemy"))
    assert imported(tmp_path, unwanted, *words) == []


CHANGING = [["scan", "."], ["source", "add", "."], ["rules", "add", "*.csv", "--tag", "x"]]


@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
def test_changing_a_home_without_a_run_imports_no_arrow_and_no_sentinel(tmp_path, words):
    (tmp_path / "a.csv").write_text("n,t\n1,x\n2,y\n")
    unwanted = (*(name for name in HEAVY if name not in ("msgspec", "sqlalchemy")), "casparian_flow.sentinel.core")
    assert imported(tmp_path, unwanted, *words) == []


def test_a_run_that_compares_nothing_imports_no_engine_of_queries_and_no_migrations(tmp_path):
    (tmp_path / "a.csv").write_text("n,t\n1,x\n2,y\n")
    assert imported(tmp_path, ("alembic", "cryptography", "duckdb"), "run", "a.csv") == []


SELDOM = (
    "lab.comparing",
    "sentinel.governance.closing",
    "sentinel.history.reversal",
    "sinks.csv_format",
    "sinks.database",
)


def test_a_run_into_parquet_imports_nothing_for_other_sinks_or_rules_nor_for_what_seldom_happens(tmp_path):
    (tmp_path / "a.csv").write_text("n,t\n1,x\n2,y\n")
    imported(tmp_path, (), "run", "a.csv")
    unwanted = ("pathspec", *(f"casparian_flow.{name}" for name in SELDOM))
    assert imported(tmp_path, unwanted, "run", "--force", "a.csv") == []


ASKED = {
    ("jobs",): {"jobs": [], "next_cursor": None},
    ("tags",): {"tags": []},
    ("tags", "add", "x", "a.csv"): {"tag": "x", "changed": 1, "unchanged": 0},
}


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_asking_a_sentinel_imports_no_library_of_data_and_none_of_servers(tmp_path, words):
    home = tmp_path / "home"
    home.mkdir()
    presence = Presence(pid=os.getpid(), started="", product="", control=str(home / "s"))
    (home / "sentinel.json").write_bytes(msgspec.json.encode(presence))
    unwanted = (*(name for name in HEAVY if name != "msgspec"), "asyncio", "starlette", "uvicorn", "zmq")
    with scripted_server(home / "s", says(200, ASKED[words])) as server:
        assert imported(tmp_path, unwanted, "--home", str(home), *words) == []
        assert len(server.asked) == 1


OPERATIONS = SOURCE / "casparian_flow/operations"
WORDS = sorted(
    ".".join(path.relative_to(OPERATIONS).with_suffix("").parts)
    for path in OPERATIONS.rglob("*.py")
    if path.stem != "__init__" and path.relative_to(OPERATIONS).parts[0] != "doing"
)


def test_the_words_of_operations_import_no_library_of_data():
    unwanted = tuple(name for name in HEAVY if name != "msgspec")
    script = (
        "import sys\nfrom importlib import import_module\n"
        "for name in sys.argv[2].split(','):\n"
        "    import_module(f'casparian_flow.operations.{name}')\n"
        "    found = [each for each in sys.argv[1].split(',') if each in sys.modules]\n"
        "    if found:\n"
        "        sys.exit(f'operations.{name} imports {found}: what needs them stands in operations.doing')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, ",".join(unwanted), ",".join(WORDS)],
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
