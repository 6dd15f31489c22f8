"""A command asks the sentinel that holds the home, and does its work itself where none does."""

from __future__ import annotations

import json
import os
import socket

import msgspec
import pytest

from casparian_flow.clients.cli.root import run
from casparian_flow.core.presence import Presence
from scripted_server import hangs_up, problem, says, scripted_server, streams

NO_JOBS = says(200, {"jobs": [], "next_cursor": None})


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "home"
    path.mkdir(mode=0o700)
    return path


def present(home, pid=None):
    presence = Presence(
        pid=os.getpid() if pid is None else pid,
        started="2026-01-01T00:00:00Z",
        product="0",
        control=str(home / "control.sock"),
    )
    (home / "sentinel.json").write_bytes(msgspec.json.encode(presence))


def ask(capsys, home, *words):
    code = run(["--home", str(home), *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_command_asks_the_sentinel_that_holds_the_home(home, capsys):
    present(home)
    with scripted_server(home / "control.sock", NO_JOBS) as server:
        code, out, err = ask(capsys, home, "jobs", "--json")
    assert (code, json.loads(out)["jobs"], err) == (0, [], "")
    assert [asked.path for asked in server.asked] == ["/v1/jobs/list"]
    assert not (home / "state.sqlite3").exists()


@pytest.mark.parametrize("left", ["nobody", "another"])
def test_what_a_killed_sentinel_left_behind_is_no_sentinel(home, capsys, left):
    present(home, pid=os.getpid() + (left == "another"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "control.sock"))
        if left == "another":
            listener.listen()
        code, _, err = ask(capsys, home, "jobs", "--server")
        assert (code, "error[sentinel-missing]" in err, "casparian start" in err) == (6, True, True)
        code, _, err = ask(capsys, home, "jobs")
        assert (code, err) == (0, "")


def test_embedded_reads_the_home_itself_beside_a_sentinel(home, capsys):
    present(home)
    with scripted_server(home / "control.sock") as server:
        assert ask(capsys, home, "jobs", "--embedded")[0] == 0
    assert server.asked == []


@pytest.mark.parametrize("other", [["--server"], ["--server-url", "https://there"]])
def test_embedded_and_server_exclude_each_other(home, capsys, other):
    code, _, err = ask(capsys, home, "jobs", "--embedded", *other)
    assert (code, "contradict" in err) == (2, True)


def test_a_setting_for_one_command_is_refused_by_a_sentinel_but_not_one_of_the_asker(home, capsys):
    present(home)
    with scripted_server(home / "control.sock", NO_JOBS) as server:
        code, _, err = ask(capsys, home, "jobs", "--set", "run.workers=3")
        assert (code, "has no effect" in err, "casparian config set run.workers 3" in err) == (2, True, True)
        assert server.asked == []
    (home / "control.sock").unlink()
    with scripted_server(home / "control.sock", NO_JOBS):
        assert ask(capsys, home, "jobs", "--set", "ui.limit=3")[0] == 0


def test_a_sentinel_that_dies_over_a_command_is_told_and_nothing_stale_is_shown(home, capsys):
    present(home)
    with scripted_server(home / "control.sock", hangs_up, hangs_up):
        code, out, err = ask(capsys, home, "jobs")
    assert (code, out) == (6, "")
    assert "error[connection-lost]" in err and "casparian status" in err


def test_who_stops_watching_learns_that_the_work_goes_on(home, capsys, monkeypatch):
    present(home)
    monkeypatch.setattr("casparian_flow.clients.cli.progress.Watcher.__call__", interrupted)
    told = streams(("job.completed", {"job": "1"}))
    with scripted_server(home / "control.sock", told):
        code, _, err = ask(capsys, home, "scan", ".")
    assert code == 130
    assert "goes on" in err and "casparian jobs cancel" in err


def interrupted(*_given):
    raise KeyboardInterrupt


def test_an_error_of_the_sentinel_ends_the_command_as_it_would_here(home, capsys):
    present(home)
    with scripted_server(home / "control.sock", problem(404, "not-found", fix="casparian jobs")):
        code, _, err = ask(capsys, home, "jobs", "show", "7")
    assert (code, "error[not-found]: it went wrong" in err) == (5, True)
