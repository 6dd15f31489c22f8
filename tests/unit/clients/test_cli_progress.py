"""Progress is rare, short and made of numbers."""

from __future__ import annotations

import io
import json
import sys

import pytest

from casparian_flow.clients.cli.face import Face
from casparian_flow.clients.cli.options import Options, Session
from casparian_flow.clients.cli.progress import Appended, Events, Redrawn, Watcher, progress
from casparian_flow.clients.cli.tally import Tally


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Drawn:
    def __init__(self, every: float) -> None:
        self.every = every
        self.lines: list[tuple[str, str]] = []

    def draw(self, lines: tuple[str, str]) -> None:
        self.lines.append(lines)

    def close(self) -> None: ...


def test_a_fast_command_draws_nothing():
    clock, drawn = Clock(), Drawn(0.1)
    watcher = Watcher(drawn, clock)
    for step in range(100):
        clock.now = step * 0.0029
        watcher("scan.progressed", {"files": step})
    assert drawn.lines == []


def test_a_terminal_is_drawn_at_most_ten_times_a_second():
    clock, drawn = Clock(), Drawn(0.1)
    watcher = Watcher(drawn, clock)
    for step in range(2000):
        clock.now = step * 0.001
        watcher("scan.progressed", {"files": step})
    assert 10 <= len(drawn.lines) <= 18


def test_the_lines_follow_the_events():
    tally = Tally()
    seen = []
    events = [
        ("scan.progressed", {"files": 1200}),
        ("hash.progressed", {"files": 10, "bytes": 1_000_000, "total": 4_000_000}),
        ("plan.made", {"run": 20, "skip": 1180}),
        ("jobs.queued", {"total": 20}),
        ("contract.adopted", {"table": "\x1b[2J"}),
        ("job.completed", {"job": 1, "rows": 50, "quarantined": 2}),
        ("job.completed", {"job": 2, "rows": 70, "quarantined": 0}),
        ("something.else", {"text": "\x1b[2J"}),
    ]
    for second, (event, values) in enumerate(events):
        tally.add(event, values, float(second))
        seen.append(tally.lines(float(second) + 2))
    assert seen[0] == ("scanning: 1,200 files", "")
    assert seen[1][0] == "hashing: 10 files, 1.0 MB of 4.0 MB"
    assert seen[2][0] == "planned: 20 files to run, 1,180 to skip"
    assert seen[-1] == ("parsing: 2 of 20 files", "120 rows, 2 in quarantine, 1 new tables")
    assert "\x1b" not in str(seen)


def test_the_time_that_is_left_is_shown_once_it_has_been_much_the_same_for_a_while():
    tally = Tally()
    tally.add("jobs.queued", {"total": 100}, 0.0)
    shown = []
    for second in range(1, 41):
        done = 1 if second < 10 else 2 * (second - 9)  # the first file takes long, then two land a second
        tally.add("job.completed", {"done": done, "total": 100}, float(second))
        shown.append(tally.lines(float(second))[0])
    left = [", 0:" in line for line in shown]
    assert not any(left[:20])
    assert left[-1]
    assert shown[-1] == "parsing: 62 of 100 files, 0:25 left"


def test_a_pipe_gets_no_line_twice_in_a_row(capsys):
    clock = Clock()
    appended = Appended(sys.stderr)
    appended.begin()
    watcher = Watcher(appended, clock)
    for second in (6.0, 12.0, 18.0):
        clock.now = second
        watcher("something.else", {})
    watcher("scan.progressed", {"files": 1})
    clock.now = 24.0
    watcher("scan.progressed", {"files": 1})
    assert capsys.readouterr().err == "starting\nscanning: 1 files\n"


def test_files_that_wait_for_a_first_contract_are_counted_as_read():
    tally = Tally()
    tally.add("jobs.queued", {"total": 3}, 0.0)
    for number in range(3):
        tally.add("job.surveyed", {"job": number}, 1.0)
    assert tally.lines(2.0)[0] == "parsing: 3 of 3 files read, 0 landed"
    for number in range(3):
        tally.add("job.completed", {"job": number, "rows": 5, "quarantined": 0}, 3.0)
    assert tally.lines(4.0) == ("parsing: 3 of 3 files", "15 rows, 0 in quarantine")


def test_files_of_which_nobody_said_how_many_there_are_have_no_total():
    tally = Tally()
    for number in range(2):
        tally.add("job.completed", {"job": number, "rows": 5, "quarantined": 0}, 1.0)
    assert tally.lines(2.0) == ("parsing: 2 files", "10 rows, 0 in quarantine")


def test_a_pipe_gets_whole_lines(capsys):
    Appended(sys.stderr).draw(("scanning: 1 files", ""))
    assert capsys.readouterr().err == "scanning: 1 files\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_the_lines_as_they_are_and_is_left_clean(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    drawn = Redrawn(stream)
    drawn.draw(("scanning: [bold]1[/bold] files", "2 rows"))
    drawn.close()
    assert "[bold]1[/bold]" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K") or "\x1b[?25h" in stream.getvalue()


def test_the_first_word_is_there_at_once_and_gone_at_the_end():
    stream = Terminal()
    drawn = Redrawn(stream)
    drawn.begin()
    assert stream.getvalue() == "starting\r"
    drawn.close()
    assert stream.getvalue() == "starting\r\x1b[2K"


def test_events_are_lines_of_json_and_those_that_count_on_are_rare():
    clock, stream = Clock(), io.StringIO()
    events = Events(stream, clock)
    for step in range(1000):
        clock.now = step * 0.001
        events("scan.progressed", {"files": step})
    events("plan.made", {"run": 1, "path": "\x1b[2J\u202e"})
    lines = stream.getvalue().splitlines()
    assert 9 <= len(lines) <= 12
    assert lines[-1].isascii()
    assert json.loads(lines[-1])["values"] == {"run": 1, "path": "\x1b[2J\u202e"}


def test_a_tool_that_reads_aloud_gets_lines_that_stay(monkeypatch, capsys):
    monkeypatch.setenv("ACCESSIBLE", "1")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress(Face(Session())) as report:
        assert isinstance(report, Watcher)
        assert capsys.readouterr().err == "starting\n"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("options", "said"), [(Options(), "starting\n"), (Options(format="json"), "")])
def test_a_pipe_gets_a_first_word_at_once_unless_it_reads_json(options, said, capsys):
    with progress(Face(Session(options))):
        assert capsys.readouterr().err == said


def test_quiet_means_no_progress(tmp_path):
    for options in (Options(quiet=True), Options(progress="none"), Options(agent=True)):
        with progress(Face(Session(options))) as report:
            assert not isinstance(report, Watcher)
    with progress(Face(Session(Options(home=tmp_path)))) as report:
        assert isinstance(report, Watcher)


def test_files_that_a_change_has_read_again_are_not_counted_among_those_of_the_run():
    tally = Tally()
    tally.add("jobs.queued", {"total": 2}, 0.0)
    for _ in range(2):
        tally.add("job.completed", {"rows": 20, "quarantined": 20}, 0.0)
    assert tally.lines(0.0)[0] == "parsing: 2 of 2 files"
    tally.add("contract.evolved", {"table": "t"}, 0.0)
    for _ in range(2):
        tally.add("job.completed", {"rows": 40, "quarantined": 0}, 0.0)
    assert tally.lines(0.0) == ("reading again: 2 files, for a change that was let in", "")
