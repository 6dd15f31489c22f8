"""The process of a sentinel hears signals, tells its manager how far it is, keeps workers running, ends in order."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from casparian_flow.clients.service.announce import announce, socket_folder, withdraw
from casparian_flow.clients.service.local_workers import LocalWorkers
from casparian_flow.clients.service.notify import Manager
from casparian_flow.clients.service.process import Asked, Inbox, Process, Wish, hearing_signals
from casparian_flow.core.errors import InvariantBroken, UsageError
from casparian_flow.core.presence import Presence, decode
from casparian_flow.settings import Home

SOURCE = Path(__file__).parents[3] / "src"
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


class FakeEngine:
    """An engine whose state a test sets."""

    def __init__(self):
        self.is_idle = False
        self.failure = None
        self.silent_seconds = 0.0
        self.looks = 0
        self.done = []
        self.refuses = None

    def look(self):
        self.looks += 1

    def begin_drain(self):
        self.done.append("drain")

    def reload(self):
        self.done.append("reload")
        if self.refuses:
            raise self.refuses

    def status(self):
        return "2 workers"


class FakeClock:
    """A clock that goes one second further each time it is read."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


@pytest.fixture
def manager(tmp_path):
    """A service manager's socket, and who speaks to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(5)
        heard.setblocking(False)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"}
        yield Manager(env), heard


def words(heard):
    found = []
    while True:
        try:
            found.append(heard.recv(4096).decode())
        except BlockingIOError:
            return found


def turned(engine, manager, *wishes, **given):
    inbox = Inbox()
    for wish in wishes:
        inbox.put(wish)
    Process(engine, LocalWorkers([], {}), inbox, manager, **given).run()


def test_a_drain_ends_when_nothing_is_out_any_more(manager):
    engine = FakeEngine()
    engine.is_idle = True
    turned(engine, manager[0], Wish(asked=Asked.DRAIN))
    assert engine.done == ["drain"]
    assert any(word.startswith("STOPPING=1") for word in words(manager[1]))


def test_a_drain_that_takes_too_long_is_given_up(manager):
    engine = FakeEngine()
    turned(engine, manager[0], Wish(asked=Asked.DRAIN, seconds=5.0), clock=FakeClock())
    assert engine.done == ["drain"]
    assert any(word.startswith("EXTEND_TIMEOUT_USEC=") for word in words(manager[1]))


def test_a_second_word_can_only_shorten_a_drain(manager):
    engine = FakeEngine()
    clock = FakeClock()
    wishes = [Wish(asked=Asked.DRAIN, seconds=1e9), Wish(asked=Asked.STOP), Wish(asked=Asked.DRAIN, seconds=1e9)]
    turned(engine, manager[0], *wishes, clock=clock)
    assert engine.done == ["drain"]
    assert clock.now < 100


def test_a_reload_is_told_and_a_setting_that_does_not_fit_changes_nothing(manager, caplog):
    engine = FakeEngine()
    engine.is_idle = True
    engine.refuses = UsageError("bad setting", where="config.toml")
    turned(engine, manager[0], Wish(asked=Asked.RELOAD), Wish(asked=Asked.DRAIN))
    assert engine.done == ["reload", "drain"]
    told = [word.split("\n")[0] for word in words(manager[1])]
    assert told.index("RELOADING=1") < told.index("READY=1")
    assert "settings.refused" in caplog.text


def test_a_part_that_ended_ends_the_process_with_its_reason(manager):
    engine = FakeEngine()
    engine.failure = OSError("disk gone")
    with pytest.raises(InvariantBroken) as caught:
        turned(engine, manager[0])
    assert "disk gone" in caught.value.why


@pytest.mark.parametrize(("silent", "expected"), [(0.0, True), (1e6, False)])
def test_the_watchdog_hears_only_of_a_sentinel_that_turns(manager, silent, expected):
    engine = FakeEngine()
    engine.silent_seconds = silent
    turned(engine, manager[0], Wish(asked=Asked.DRAIN, seconds=9.0), clock=FakeClock())
    assert ("WATCHDOG=1" in words(manager[1])) is expected


def test_no_manager_is_no_reason_to_fail(tmp_path):
    Manager({}).ready("x")
    Manager({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")
    assert Manager({"WATCHDOG_USEC": "x"}).watchdog_seconds is None
    assert Manager({"WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "1"}).watchdog_seconds is None


def test_signals_become_wishes_and_the_handlers_before_come_back():
    inbox = Inbox()
    before = signal.getsignal(signal.SIGTERM)
    with hearing_signals(inbox):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            os.kill(os.getpid(), number)
            time.sleep(0)
        heard = [inbox.take(5.0).asked for _ in range(4)]
    assert heard == [Asked.RELOAD, Asked.DRAIN, Asked.DRAIN, Asked.STOP]
    assert signal.getsignal(signal.SIGTERM) is before


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_dies_is_started_again_later_each_time():
    workers = LocalWorkers([SLEEPER], {})
    try:
        workers.look(0.0)
        for now, pause in ((1.0, 1.0), (10.0, 2.0), (20.0, 4.0)):
            (pid,) = workers.pids
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            workers.look(now)
            workers.look(now + pause - 0.01)
            assert workers.pids == []
            workers.look(now + pause)
            assert len(workers.pids) == 1
    finally:
        pids = workers.pids
        workers.stop(5.0)
    assert not any(map(alive, pids))
    workers.look(1e9)


def test_a_worker_that_does_not_end_is_killed_with_all_that_it_started(tmp_path):
    script = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child: open(sys.argv[1], 'w').write(str(child)); os.rename(sys.argv[1], sys.argv[2])\n"
        "time.sleep(600)\n"
    )
    workers = LocalWorkers([[sys.executable, "-c", script, str(tmp_path / "a"), str(tmp_path / "b")]], {})
    workers.look(0.0)
    until = time.monotonic() + 30
    while not (tmp_path / "b").exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    grandchild = int((tmp_path / "b").read_text())
    workers.stop(0.05)
    while _state(grandchild) not in ("Z", ""):
        assert time.monotonic() < until
        time.sleep(0.01)


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


DETACHED = """
import sys, time
from pathlib import Path
from casparian_flow.clients.service.detach import detach
from casparian_flow.core.errors import CasparianError, HomeBusy

def work(launch):
    if sys.argv[2] == "fails":
        launch.failed(HomeBusy("it is busy"))
        return 1
    if sys.argv[2] == "dies":
        raise SystemExit(3)
    print("working", flush=True)
    launch.ready(b'told')
    sys.stdin.read()
    Path(sys.argv[1] + ".ended").touch()
    return 0

try:
    print(*detach(Path(sys.argv[1]), work))
except CasparianError as exc:
    print(exc.code)
"""


@pytest.mark.parametrize(
    ("kind", "said"), [("works", "True b'told'"), ("fails", "home-busy"), ("dies", "connection-lost")]
)
def test_a_detached_process_has_no_terminal_and_says_how_it_went(tmp_path, kind, said):
    log = tmp_path / "log"
    done = subprocess.run(
        [sys.executable, "-c", DETACHED, str(log), kind],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert said in done.stdout
    if kind == "works":
        until = time.monotonic() + 30
        while not (tmp_path / "log.ended").exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        assert log.read_text() == "working\n"
    assert log.stat().st_mode & 0o077 == 0


def presence(home, folder):
    return Presence(pid=1, started="", product="", control=str(folder / "control.sock"))


def test_what_a_sentinel_says_is_for_its_user_alone_and_goes_with_it(tmp_path):
    home = Home(tmp_path)
    folder = socket_folder(home)
    assert folder.stat().st_mode & 0o777 == 0o700
    announce(home, presence(home, folder))
    announce(home, presence(home, folder))
    assert home.sentinel.stat().st_mode & 0o777 == 0o600
    assert decode(home.sentinel.read_bytes(), "").control == str(folder / "control.sock")
    withdraw(home, folder)
    assert not home.sentinel.exists()


def test_a_home_with_a_long_path_has_its_sockets_elsewhere_and_a_killed_one_leaves_none(tmp_path, monkeypatch):
    too_deep = tmp_path / ("x" * 100)
    too_deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(too_deep))
    home = Home(too_deep)
    left = socket_folder(home)
    assert left.parent == Path("/tmp") and left.stat().st_mode & 0o777 == 0o700
    announce(home, presence(home, left))
    folder = socket_folder(home)
    assert (left.exists(), folder.exists(), home.sentinel.exists()) == (False, True, False)
    withdraw(home, folder)
    assert not folder.exists()
