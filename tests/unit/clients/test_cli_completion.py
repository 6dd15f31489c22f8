"""Words are completed from the commands and from the home, quickly, harmlessly, and silently when that fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builders import HomeBuilder, eventful_home
from casparian_flow.clients.cli.completion import KINDS, SHELLS, answer, install, script
from casparian_flow.clients.cli.root import root
from casparian_flow.operations.doing.home.complete import complete
from casparian_flow.operations.home.complete import CompleteWord
from casparian_flow.operations.local import Local
from casparian_flow.settings import Home
from casparian_flow.store.names import STATEMENTS

SOURCE = Path(__file__).parents[3] / "src"
BASH = """
source <(casparian completion bash)
COMP_WORDS=($1) COMP_CWORD=$2
_casparian_completion casparian
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def offered(tmp_path, monkeypatch, capsys):
    home = eventful_home(tmp_path / "home").path
    monkeypatch.setenv("CASPARIAN_HOME", str(home))
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> list[str]:
        monkeypatch.setenv("COMP_WORDS", " ".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        answer(root, "bash_complete")
        out, err = capsys.readouterr()
        assert err == ""
        return [line.partition(",")[2] for line in out.splitlines()]

    return typed


@pytest.mark.parametrize(
    ("words", "among"),
    [
        (("casparian", "fi"), "files"),
        (("casparian", "jobs", "s"), "show"),
        (("casparian", "jobs", "--sta"), "--state"),
        (("casparian", "jobs", "--state", "fa"), "failed"),
        (("casparian", "jobs", "show", "37"), "3700000000000000001"),
        (("casparian", "jobs", "show", "@"), "@last"),
        (("casparian", "run", "--parser", ""), "csv"),
        (("casparian", "files", "--tag", "sa"), "sales"),
        (("casparian", "tables", ""), "sales"),
        (("casparian", "contract", "show", ""), "sales"),
        (("casparian", "config", "set", "run.w"), "run.workers"),
        (("casparian", "explain", "home"), "home-busy"),
        (("casparian", "help", "exit"), "exit-codes"),
    ],
)
def test_a_word_becomes_what_it_may_mean_there(offered, words, among):
    found = offered(*words)
    assert among in found
    assert all(each.startswith(words[-1]) for each in found)


def test_another_home_may_be_named_on_the_line(offered, tmp_path):
    with HomeBuilder(tmp_path / "other") as past:
        past.parser("other_parser")
    assert offered("casparian", "--home", str(tmp_path / "other"), "run", "--parser", "o") == ["other_parser"]


def test_what_cannot_be_completed_gives_nothing_and_says_nothing(offered, tmp_path, monkeypatch):
    assert offered("casparian", "nonsense", "x", "y") == []
    monkeypatch.setenv("CASPARIAN_HOME", str(tmp_path / "nowhere"))
    assert offered("casparian", "jobs", "show", "3") == []
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "state.sqlite3").write_bytes(b"no database " * 1000)
    monkeypatch.setenv("CASPARIAN_HOME", str(broken))
    assert offered("casparian", "jobs", "show", "3") == []


def local(home: Home) -> Local:
    return Local(home=home, case=None, env={}, overrides={}, cwd=home.path, now_ns=0)


@pytest.mark.parametrize("name", ["$(touch x)", "a b", "`id`", "a;b", "*", "a\nb", "\x1b[2J", "a'b", 'a"b', "a&b"])
def test_a_name_that_a_shell_would_act_on_is_never_offered(tmp_path, name):
    with HomeBuilder(tmp_path / "home") as past:
        past.rule(tag=name)
        past.rule(tag="harmless")
    assert complete(local(past.home), CompleteWord(kind="tag")).names == ["harmless"]


@pytest.mark.parametrize("kind", sorted({*STATEMENTS, *KINDS.values()}))
def test_every_kind_of_name_can_be_asked_for(tmp_path, kind):
    home = eventful_home(tmp_path / "home")
    assert isinstance(complete(local(home), CompleteWord(kind=kind)).names, list)


def test_a_slow_database_is_given_up_in_time(tmp_path, monkeypatch):
    home = eventful_home(tmp_path / "home")
    monkeypatch.setattr("casparian_flow.operations.doing.home.complete.SECONDS", 0.0)
    monkeypatch.setattr("casparian_flow.store.names.STEPS", 1)
    assert complete(local(home), CompleteWord(kind="job")).names == []


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_put_where_the_shell_looks_once(shell, tmp_path):
    env = {"HOME": str(tmp_path)}
    first, second = install(shell, env), install(shell, env)
    assert first.is_new and not second.is_new
    assert first.files == second.files
    for file in first.files:
        assert Path(file).is_relative_to(tmp_path) and Path(file).read_text() == script(shell)
    assert "casp" in script(shell).replace("casparian", "")


def test_installing_says_what_it_did(ask, tmp_path):
    said = ask("completion", "fish", "--install").out
    assert str(tmp_path / ".config/fish/completions/casparian.fish") in said and "written" in said
    assert "was there already" in ask("completion", "fish", "--install").out
    assert ask("completion", "bash", "--install", "--json").json["shell"] == "bash"


@pytest.fixture
def programs(tmp_path) -> dict[str, str]:
    """An environment in which `casparian` is this product."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "casparian"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m casparian_flow "$@"\n')
    command.chmod(0o755)
    home = eventful_home(tmp_path / "home").path
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(SOURCE),
        "CASPARIAN_HOME": str(home),
    }


def test_bash_itself_completes_with_the_script(programs):
    if shutil.which("bash") is None:
        pytest.skip("bash is not on this machine")
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH.format(), "bash", "casparian jobs show @", "3"],
        env=programs,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", ["@last"])


@pytest.mark.parametrize(
    ("shell", "check"),
    [
        ("zsh", ["-n"]),
        ("fish", ["--no-execute"]),
        ("pwsh", ["-NoProfile", "-File"]),
    ],
)
def test_another_shell_reads_the_script_without_an_error(shell, check, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    file = tmp_path / "script.ps1"
    file.write_text(script("powershell" if shell == "pwsh" else shell))
    done = subprocess.run([shell, *check, str(file)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
