"""What holds for every command there is: none waits for a person who is not there, none reaches for the network."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from casparian_flow.clients.cli.root import root
from product import ask_here

SOURCE = Path(__file__).parents[2] / "src"
NETWORK = {
    "asyncio",
    "ftplib",
    "http",
    "requests",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "urllib",
    "xmlrpc",
    "zmq",
}
MAY_USE_SOCKETS = {
    "clients/remote/control.py",  # asks a sentinel
    "clients/remote/endpoint.py",  # connects to it
    "clients/service/notify.py",  # tells the service manager of this machine how far it is
    "clients/http/app.py",
    "clients/http/asking.py",  # waits in asyncio for a body and for an operation's thread
    "clients/http/connection.py",  # asks the kernel who is at the other end
    "clients/http/decode.py",  # splits a query string
    "clients/http/gate.py",  # splits a query string
    "clients/http/openapi.py",  # the names of HTTP statuses
    "clients/http/problems.py",  # the names of HTTP statuses
    "clients/http/server.py",  # listens: a Unix socket in the home, TCP where a person asked for it
    "clients/http/service.py",  # asyncio's side of the threads that operations run in
    "clients/http/sse.py",  # waits in asyncio for events
    "guest/zygote.py",  # takes it
    "protocol/gate.py",  # admits keys to it
    "protocol/keys.py",  # makes them
    "protocol/zmq_dealer.py",  # a worker's connection to its sentinel
    "protocol/zmq_router.py",  # where a sentinel listens for workers
    "protocol/zmq_sockets.py",  # what both have in common
    "worker/frames.py",  # reads from the socket pair to a guest
    "worker/guest.py",  # makes it
    "worker/surroundings.py",  # asks for the machine's name
    "worker/zygote.py",  # has a zygote take one end of it
}
ALONE = """
import sys
from casparian_flow.clients.cli.root import run

def watch(event, values):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        print("opened:", event, values, file=sys.__stderr__)

sys.addaudithook(watch)
sys.exit(run(sys.argv[1:]))
"""


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (inner := command.get_command(context, name)) is not None:
                yield from leaves(inner, (*words, name))
    else:
        yield words, command


STAY = {("demo",), ("run",), ("serve",), ("start",)}
"""Commands that do much, or work until they are told to end."""


def test_no_command_waits_for_input_without_a_terminal(tmp_path: Path) -> None:
    """Standard input is a pipe that says nothing and never ends."""
    quick = [words for words, _ in leaves(root) if words not in STAY]
    assert len(quick) > 40
    script = (
        "import os, sys\n"
        "from casparian_flow.clients.cli.root import run\n"
        "for line in os.environ['LINES_TO_TRY'].splitlines():\n"
        "    print('trying', line, file=sys.__stderr__, flush=True)\n"
        "    run(line.split())\n"
    )
    environment = {
        "PYTHONPATH": str(SOURCE),
        "HOME": str(tmp_path),
        "PATH": "/usr/bin:/bin",
        "LINES_TO_TRY": "\n".join(" ".join(words) for words in quick),
    }
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    ) as process:
        assert process.stderr is not None
        tried = [line.split()[1:] for line in process.stderr if line.startswith("trying ")]
        assert process.wait(60) == 0
    assert [" ".join(words) for words in tried] == [" ".join(words) for words in quick]


CHANGING = """
approval approve; approval reject; approval withdraw; approve; backtest run; case use;
completion; config import; config set; config unset; contract amend; contract approve;
contract import; contract propose; demo; init; jobs revert; key add; key revoke; output compact;
output revert;
parser propose; parser resume; parser set;
quarantine purge; quarantine repair; quarantine triage; quarantine waive; repair revoke;
plan; quarantine replay; reject; rules add; rules apply; rules remove; run; scan; sink add; sink remove; source add;
source ignore; source policy; source remove;
source sync; source use; tags add; tags remove; token add; token revoke; topic add; topic remove;
topic set; watch add; watch remove; worker drain; worker invite; worker remove; worker run
"""
"""Commands that keep something; a saved plan is something too."""


def test_no_command_that_only_reads_makes_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    (tmp_path / "me").mkdir()
    (tmp_path / "sales.csv").write_text("id,amount\n1,2.5\n")
    changing = {line.strip() for line in CHANGING.split(";")}
    every = {" ".join(words): command for words, command in leaves(root)}
    assert changing < every.keys()
    reading = every.keys() - changing - {" ".join(words) for words in STAY}
    assert len(reading) > 30
    answered = 0
    for line in sorted(reading):
        given = ["sales.csv" for each in every[line].params if isinstance(each, click.Argument) and each.required]
        answered += ask_here(*line.split(), *given, cwd=tmp_path).code == 0
        assert list((tmp_path / "me").iterdir()) == [], line
    assert answered > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["me", "sales.csv"]


def test_a_whole_run_opens_no_connection(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("id,amount\n1,2.5\n")
    for words in (["run", "data"], ["sql", "SELECT * FROM sales"], ["status"], ["doctor"]):
        done = subprocess.run(
            [sys.executable, "-c", ALONE, *words],
            env={"PYTHONPATH": str(SOURCE), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if line.startswith("opened:")] == []


def imported_by(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_only_what_speaks_to_guests_imports_anything_of_the_network() -> None:
    package = SOURCE / "casparian_flow"
    found = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if NETWORK.intersection(imported_by(path))
    }
    assert found == MAY_USE_SOCKETS
